using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>
/// A document that somebody has edited makes Coppice remove nothing that is not its own, and store nothing that nobody has checked.
/// </summary>
public sealed class ForgedDocumentTests : IDisposable
{
    private const string Name = World.Name, Image = "/images/web-a.qcow2";
    private static readonly ShortId s_strange = new("deadbeef");
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task An_internal_snapshot_is_one_layer_only_R97()
    {
        var one = await InsideAsync();
        await RefusedAsync(Copied(one, l => l with { Id = s_strange }) with { Name = "copy", Id = null }, Tag(one), "by now");
        await _world.ForgetAsync("one");
        var inside = Inside(one);
        await RefusedAsync(More(one, inside with { Id = s_strange }), "stands twice");
        await PutBackAsync(one);
    }

    [Fact]
    public async Task An_internal_snapshot_of_the_users_own_is_not_taken_over_R97()
    {
        var one = await InsideAsync();
        await _world.ForgetAsync("one");
        var mine = _world.Host.State.Images[Image].Internals[Tag(one)];
        foreach (var tag in new[] { "mine", "before.2024", "a b.12345678", ".12345678", "mine.1234567", "mine.1234567G" })
        {
            _world.Host.State = _world.Host.State.With(Image, i => i with { Internals = i.Internals.SetItem(tag, mine) });
            await RefusedAsync(Copied(one, l => l with { Inside = l.Inside! with { Tag = tag } }), $"'{tag}'", Image);
        }
    }

    [Fact]
    public async Task An_internal_snapshot_is_where_its_holder_is_and_nothing_builds_on_it()
    {
        var one = await InsideAsync();
        await _world.ForgetAsync("one");
        var inside = Inside(one);
        await RefusedAsync(Copied(one, l => l with { Format = ImageFormat.Raw }), "is not inside");
        var nested = inside with { Id = s_strange, Inside = new InternalPlace(inside.Id, "one.12345678") };
        await RefusedAsync(More(Copied(one, _ => nested), inside), "is not inside");
        var above = inside with { Id = s_strange, Parent = inside.Id, Inside = inside.Inside! with { Tag = "one.12345678" } };
        await RefusedAsync(More(Copied(one, _ => above), inside), "nothing builds on");
    }

    [Fact]
    public async Task What_nothing_that_is_kept_builds_on_is_not_stored()
    {
        await TakeAsync();
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        var stray = one.Content!.Layers[0] with { Id = s_strange, Path = $"{_world.Domain.Images("vda")}/stray.qcow2" };
        await RefusedAsync(More(one, stray), stray.Path, "builds on");
        var inside = stray with { Path = Image, Inside = new InternalPlace(stray.Id, "one.12345678") };
        await RefusedAsync(More(one, inside), Image, "builds on");
        await PutBackAsync(one);
    }

    [Fact]
    public async Task Records_of_the_domain_are_neither_memory_nor_layers()
    {
        await TakeAsync();
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        var layer = $"{_world.Domain.Images("vda")}/x.qcow2";
        foreach (var file in new[] { _world.Domain.CatalogRoot, _world.Domain.Lock, layer, $"{_world.Folder.Domains}/x" })
        {
            await RefusedAsync(Remembered(one, file), file, "in no folder");
        }

        var two = await StrayAsync();
        await RefusedAsync(Moved(two, _world.Domain.Memory(s_strange)), "in no folder");
        await RefusedAsync(Moved(two, $"{_world.Domain.Path}/x.qcow2"), "in no folder");
        await PutBackAsync(two);
    }

    [Fact]
    public async Task An_image_is_not_removed_as_memory_nor_memory_as_an_image_whatever_they_are_called()
    {
        await TakeAsync();
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        await RefusedAsync(Remembered(one, Image), Image, "image of a disk");
        _world.Host.Link(Image, $"{_world.Domain.MemoryFolder}/linked");
        await RefusedAsync(Remembered(one, $"{_world.Domain.MemoryFolder}/linked"), "image of a disk");

        var two = await StrayAsync();
        await PutBackAsync(one);
        var path = one.Memory!.File!;
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Add("/images/x", _world.Host.State.Images[Top(two).Path]) };
        _world.Host.Link(path, "/images/x");
        await RefusedAsync(Moved(two, "/images/x"), "/images/x", "memory image");
    }

    [Fact]
    public async Task A_device_is_put_back_only_if_the_domain_has_it_and_opens_no_folder()
    {
        await _world.RunAsync(new DefineDomain(World.Device() with { Disks = [World.Device().Disks[1]] }));
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "one", Disks = [.. Scenario.External("vdb")] });
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        _world.AddImage("/images/secret");
        _world.Host.State = _world.Host.State.With("/images/secret", i => i with { Format = ImageFormat.Raw, Type = StorageType.Block });
        var device = Top(one) with { Id = s_strange, Path = "/images/secret" };
        var forged = More(one, device);
        forged = forged with { Content = forged.Content! with { Disks = [forged.Content.Disks[0] with { Layer = s_strange }] } };
        await RefusedAsync(forged, "/images/secret", "is no disk");
        await RefusedAsync(More(one, device with { Type = StorageType.File }), "/images/secret", "in no folder");
        await PutBackAsync(one);
    }

    [Fact]
    public async Task Without_our_cookie_nothing_may_have_been_written_after_the_snapshot()
    {
        await TakeAsync();
        var one = (await ReadAsync("one")) with { Content = null };
        await _world.ForgetAsync("one");
        foreach (var file in new[] { one.Memory!.File!, Image })
        {
            _world.Host.Modified[file] = one.CreatedAt!.Value.AddSeconds(1.1);
            await RefusedAsync(one, file, "written since");
            _world.Host.Modified[file] = one.CreatedAt!.Value.AddSeconds(1);
        }

        await PutBackAsync(one);
    }

    [Fact]
    public async Task A_snapshot_was_not_taken_in_the_future_R141()
    {
        await TakeAsync();
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        var future = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeSeconds());
        await RefusedAsync(one with { CreatedAt = future, Content = null }, "<creationTime>", "not come yet");
        await RefusedAsync(one with { CreatedAt = future, Content = one.Content! with { CreatedAt = future } }, "<creationTime>", "not come yet");
    }

    [Fact]
    public async Task What_was_written_after_a_snapshot_is_put_back_by_no_document_of_it()
    {
        await TakeAsync();
        var memory = _world.Catalog.Find("one").Memory.File!;
        foreach (var file in new[] { memory, Image })
        {
            _world.Host.Modified[file] = TimeProvider.System.GetUtcNow().AddHours(1);
            Assert.DoesNotContain(file, (await ReadAsync("one")).Content!.Modified.Keys);
        }

        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        await RefusedAsync(one, "does not say when", "was last written");
    }

    [Fact]
    public async Task A_cookie_that_was_cut_is_not_read_as_one_of_somebody_else()
    {
        await TakeAsync();
        var xml = SnapshotXml.Format(await ReadAsync("one"));
        var cut = xml.Replace("state=\"running\" ", "", StringComparison.Ordinal);
        Assert.NotEqual(xml, cut);
        var error = Assert.Throws<CoppiceException>(() => SnapshotXml.Parse(cut, SnapshotParseMode.Redefine));
        Assert.Contains("cookie", error.Message, StringComparison.Ordinal);
        Assert.Contains("state is missing", error.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(true), InlineData(false)]
    public async Task A_domain_with_a_TPM_has_what_it_kept_and_one_without_has_nothing(bool hasTpm)
    {
        await _world.RunAsync(new DefineDomain(hasTpm ? World.Tpm() : World.Definition()));
        await _world.SnapshotExternalAsync("one");
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        await RefusedAsync(one with { Content = one.Content! with { Tpm = hasTpm ? null : s_strange } }, "<domain>", "<cookie>");
        await PutBackAsync(one);
    }

    [Fact]
    public async Task A_definition_that_could_not_be_read_again_is_not_stored_R143()
    {
        var (one, definition) = await AloneAsync(World.Definition());
        var xml = DomainXml.Format(definition).ReplaceLineEndings("");

        // Just short enough as it stands here; once it is indented, each leaf has more than a hundred bytes.
        var deep = $"{Repeat("<a>", 50)}{Repeat("<w/>", 200)}{Repeat("</a>", 50)}";
        var text = new string('x', SafeXml.MaximumBytes - xml.Length - deep.Length - 1000);
        var grows = xml.Replace("</domain>", $"<metadata>{text}</metadata><blkiotune>{deep}</blkiotune></domain>", StringComparison.Ordinal);
        await RefusedAsync(one with { Domain = grows }, "<domain>", "read again");
        await PutBackAsync(one);
    }

    [Fact]
    public async Task A_definition_keeps_to_the_rules_for_those_that_are_defined()
    {
        var (one, definition) = await AloneAsync(World.Device());
        var odd = definition with { Disks = [definition.Disks[0], definition.Disks[1] with { Format = ImageFormat.Qcow2 }] };
        await RefusedAsync(one with { Domain = DomainXml.Format(odd) }, "format qcow2 in the block device", World.DevicePath);
        await PutBackAsync(one);
    }

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    private static Layer Top(SnapshotDocument document) =>
        document.Content!.Layers.First(l => l.Id == document.Content.Disks[0].Layer);

    /// <summary>The same, with the memory in another file.</summary>
    private static SnapshotDocument Remembered(SnapshotDocument document, string file) => document with
    {
        Memory = document.Memory! with { File = file },
        Content = document.Content! with
        {
            Modified = document.Content.Modified.SetItem(file, document.Content.Modified[Image]),
        },
    };

    /// <summary>The same, with the layer that it froze in another file.</summary>
    private static SnapshotDocument Moved(SnapshotDocument document, string file) => document with
    {
        Content = document.Content! with
        {
            Layers = [.. document.Content.Layers.Select(l => l.Id == Top(document).Id ? l with { Path = file } : l)],
            Modified = document.Content.Modified.SetItem(file, document.Content.Modified[Top(document).Path]),
        },
    };

    private static Layer Inside(SnapshotDocument document) => document.Content!.Layers.Single(l => l.Inside is not null);

    private static string Tag(SnapshotDocument document) => Inside(document).Inside!.Tag;

    private static SnapshotDocument More(SnapshotDocument document, Layer layer) =>
        document with { Content = document.Content! with { Layers = document.Content.Layers.Add(layer) } };

    /// <summary>The same, with another internal snapshot.</summary>
    private static SnapshotDocument Copied(SnapshotDocument document, Func<Layer, Layer> edit)
    {
        var was = document.Content!.Disks.First(d => d.Mode is DiskMode.Internal).Layer;
        var becomes = edit(document.Content.Layers.First(l => l.Id == was)).Id;
        return document with
        {
            Content = document.Content with
            {
                MemoryLayer = becomes,
                Disks = [.. document.Content.Disks.Select(d => d.Layer == was ? d with { Layer = becomes } : d)],
                Layers = [.. document.Content.Layers.Select(l => l.Id == was ? edit(l) : l)],
            },
        };
    }

    /// <summary>A snapshot named <c>one</c>, with disk and memory in the image of the first disk.</summary>
    private async Task<SnapshotDocument> InsideAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(Scenario.Inside("one", "vda"));
        return await ReadAsync("one");
    }

    /// <summary>Snapshots named <c>base</c>, of disks, and <c>one</c>, with memory in a file.</summary>
    private async Task TakeAsync()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("base");
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
    }

    /// <summary>A forgotten snapshot of layers on which nothing builds any more.</summary>
    private async Task<SnapshotDocument> StrayAsync()
    {
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "two", DiskOnly = true });
        var two = await ReadAsync("two");
        await _world.RunAsync(Scenario.Revert("base") with { DiscardCurrent = true });
        await _world.ForgetAsync("two");
        return two;
    }

    /// <summary>A forgotten snapshot whose definition nothing else has any more.</summary>
    private async Task<(SnapshotDocument Document, DomainDefinition Definition)> AloneAsync(DomainDefinition asked)
    {
        var definition = DomainSeal.AssignAddresses(asked);
        await _world.RunAsync(new DefineDomain(definition));
        await _world.SnapshotExternalAsync("one");
        var one = await ReadAsync("one");
        await _world.ForgetAsync("one");
        await _world.RunAsync(new DefineDomain(definition with { VirtualCpus = 2 }));
        return (one, definition);
    }

    private Task<SnapshotDocument> ReadAsync(string name) => _world.Open().ReadSnapshotAsync(Name, name);

    private Task<OperationResult> PutBackAsync(SnapshotDocument document) => _world.RunAsync(new RedefineSnapshot(Name, document, IsCurrent: false));

    private async Task RefusedAsync(SnapshotDocument document, params string[] parts)
    {
        var before = (Inspection.Tree(_world.Catalog), _world.Host.State);
        var error = await HomeTests.FailAsync(() => PutBackAsync(document));
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.NotEmpty(error.NextStep);
        Assert.NotEqual(ErrorKind.Internal, error.Kind);
        Assert.Equal(before, (Inspection.Tree(_world.Catalog), _world.Host.State));
    }
}
