using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>
/// A document as <c>snapshot dumpxml</c> writes it changes the record of a snapshot, or puts one back that was forgotten: with all
/// that it kept, or not at all (R27, R36, R137).
/// </summary>
public sealed class RedefineTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    /// <summary>Each way in which a snapshot is kept, and what leads to one named <c>one</c>.</summary>
    public static TheoryData<string> Ways =>
        ["memory in a file", "disks only", "off", "memory in a disk", "memory in a disk that moved", "TPM", "UEFI", "block device"];

    [Theory, MemberData(nameof(Ways))]
    public async Task A_forgotten_snapshot_is_put_back_with_all_that_it_kept_and_is_reverted_to(string way)
    {
        await TakeAsync(way);
        var before = Inspection.Tree(_world.Catalog);
        var xml = await DumpAsync("one");
        await ForgetAsync("one");
        Assert.DoesNotContain(_world.Catalog.Snapshots.Values, s => s.Name == "one");
        _world.Host.Tick();

        await _world.RunAsync(Redefine(xml, isCurrent: true));

        Assert.Equal(before, Inspection.Tree(_world.Catalog));
        await RevertAsync();
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task One_on_which_the_head_does_not_build_any_more_comes_back_from_its_files_alone(string way)
    {
        await TakeAsync(way);
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Revert("base") with { DiscardCurrent = true });
        var before = Inspection.Tree(_world.Catalog);
        var (one, two) = (await DumpAsync("one"), await DumpAsync("two"));
        await ForgetAsync("two");
        await ForgetAsync("one");

        // Without its parent a snapshot is a root; the layers between them come back without a name.
        await _world.RunAsync(Redefine(two.Replace("<name>one</name>", "<name>base</name>", StringComparison.Ordinal)));
        await _world.RunAsync(Redefine(one));
        await _world.RunAsync(Redefine(two));

        Assert.Equal(before, Inspection.Tree(_world.Catalog));
        await RevertAsync();
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task What_a_snapshot_has_another_one_has_too_under_its_own_name_and_either_may_go(string way)
    {
        await TakeAsync(way);
        var (before, known) = (Inspection.Tree(_world.Catalog), _world.Catalog.Find("one"));
        var document = SnapshotXml.Parse(await DumpAsync("one"), SnapshotParseMode.Redefine) with { Name = "twin", Description = "the same" };
        await _world.RunAsync(new RedefineSnapshot(Name, document, IsCurrent: false) { CopyOf = known.Id });
        var twin = _world.Catalog.Find("twin");
        Assert.Equal((known.Parent, known.CreatedAt, known.Memory, known.Tpm), (twin.Parent, twin.CreatedAt, twin.Memory, twin.Tpm));
        Assert.Equal(known.Disks, twin.Disks);
        Inspection.CheckAll(_world);

        // virsh renames by forgetting the first one.
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: true));
        Inspection.CheckAll(_world);
        document = SnapshotXml.Parse(await DumpAsync("twin"), SnapshotParseMode.Redefine) with { Name = "one", Description = known.Description };
        await _world.RunAsync(new RedefineSnapshot(Name, document, IsCurrent: false) { CopyOf = twin.Id });
        await _world.RunAsync(new DeleteSnapshot(Name, "twin", metadataOnly: false));
        Assert.Equal(before.Split('\n').Length, Inspection.Tree(_world.Catalog).Split('\n').Length);
        await RevertAsync();
    }

    [Fact]
    public async Task Another_one_has_what_the_first_has_and_no_more()
    {
        await TakeAsync("disks only");
        var known = _world.Catalog.Find("one");
        var document = SnapshotXml.Parse(await DumpAsync("one"), SnapshotParseMode.Redefine) with { Name = "twin" };
        foreach (var (changed, words) in new[]
            {
                (document with { Name = "base" }, "'base'"), (document with { Parent = "nowhere" }, "'nowhere'"),
                (document with { CreatedAt = document.CreatedAt!.Value.AddSeconds(5) }, "<creationTime>"),
            })
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(new RedefineSnapshot(Name, changed, IsCurrent: false) { CopyOf = known.Id }));
            Assert.Contains(words, error.Message, StringComparison.Ordinal);
        }

        Assert.Equal(2, _world.Catalog.Snapshots.Count);
    }

    [Fact]
    public async Task One_whose_layers_are_being_merged_is_not_put_back()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await _world.SnapshotAsync(name);
            _world.Host.Tick();
        }

        await _world.RunAsync(new KillDomain(Name));
        var two = await DumpAsync("two");
        await ForgetAsync("two");
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.NotEmpty(_world.Catalog.Jobs);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Redefine(two)));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("'two' cannot be put back meanwhile", error.Problem, StringComparison.Ordinal);
        Assert.Contains("job wait", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_a_snapshot_that_is_known_description_and_parent_change_and_nothing_else_R27_R36()
    {
        await TakeAsync("memory in a file");
        await _world.SnapshotAsync("two");
        var two = await ReadAsync("two");
        await _world.RunAsync(new RedefineSnapshot(Name, two with { Description = "moved", Parent = "base" }, IsCurrent: false));

        var snapshot = _world.Catalog.Find("two");
        Assert.Equal(("moved", _world.Catalog.Find("base").Id), (snapshot.Description, snapshot.Parent));
        Assert.Equal(snapshot.Id, _world.Catalog.Current);

        await _world.RunAsync(new RedefineSnapshot(Name, (await ReadAsync("one")) with { Parent = null }, IsCurrent: true));
        Assert.Equal((null, _world.Catalog.Find("one").Id), (_world.Catalog.Find("one").Parent, _world.Catalog.Current));
        Inspection.CheckAll(_world);
        await RevertAsync();
    }

    [Fact]
    public async Task What_a_known_snapshot_keeps_never_changes()
    {
        await TakeAsync("memory in a file");
        await _world.SnapshotAsync("two");
        var one = await ReadAsync("one");
        await RefusedAsync(one with { State = SnapshotState.Paused }, "<state>");
        await RefusedAsync(one with { CreatedAt = one.CreatedAt!.Value.AddSeconds(1) }, "<creationTime>");
        await RefusedAsync(one with { Memory = new MemoryRequest(MemoryMode.External, "/m") }, "<memory>");
        await RefusedAsync(one with { Disks = [new DiskRequest("vda", DiskMode.None), one.Disks[1]] }, "<disks>");
        await RefusedAsync(one with { Domain = one.Domain!.Replace("<vcpu>1", "<vcpu>2", StringComparison.Ordinal) }, "<domain>");
        await RefusedAsync(one with { Content = (await ReadAsync("two")).Content }, "<cookie>");
        await RefusedAsync(one with { Parent = "two" }, "<parent>");
        await RefusedAsync(one with { Name = "uno" }, "rename");
    }

    [Fact]
    public async Task One_that_cannot_be_put_back_as_it_was_is_refused_by_the_name_of_the_file()
    {
        await TakeAsync("memory in a file");
        var one = await ReadAsync("one");
        var (memory, kept) = (one.Memory!.File!, one.Content!.Disks[0].Layer);
        var layer = one.Content.Layers.First(l => l.Id == kept);
        await ForgetAsync("one");

        // A guest that writes to what was frozen, as after a revert by hand, is noticed by the time of the file.
        await WithHostAsync(layer.Path, i => i with { Blocks = i.Blocks.SetItem(0, 1 << 20) }, () => RefusedAsync(one, layer.Path, "written since"));
        await WithHostAsync(layer.Path, i => i with { Backing = null }, () => RefusedAsync(one, layer.Path));
        await WithHostAsync(null, i => i, () => RefusedAsync(one, memory, "missing"));
        await RefusedAsync(one with { Content = one.Content with { Modified = one.Content.Modified.SetItem(memory, DateTimeOffset.UnixEpoch.AddYears(1)) } }, memory);
        await RefusedAsync(one with { Content = one.Content with { Modified = one.Content.Modified.Remove(memory) } }, memory, "does not say when");
        await RefusedAsync(one with { Content = null, Disks = [one.Disks[0] with { File = null }, one.Disks[1]] }, "vda");
        await RefusedAsync(one with { Domain = $"<domain><uuid>{World.Id}</uuid></domain>" }, "<domain>");
        await _world.RunAsync(new RedefineSnapshot(Name, one, IsCurrent: false));
    }

    [Fact]
    public async Task A_document_names_no_file_where_the_domain_has_none_and_what_is_not_in_our_folders_is_never_removed()
    {
        await TakeAsync("disks only");
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Revert("base") with { DiscardCurrent = true });
        var two = await ReadAsync("two");
        await ForgetAsync("two");
        var layer = two.Content!.Layers.First(l => l.Id == two.Content.Disks[0].Layer);

        await RefusedAsync(Moved("/etc/passwd"), "/etc/passwd", "in no folder");
        await RefusedAsync(Moved("/images/../etc/passwd"), "in no folder");

        // Beside the user's own image it may be; but then it is the user's.
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Add("/images/copy", _world.Host.State.Images[layer.Path]) };
        await _world.RunAsync(new RedefineSnapshot(Name, Moved("/images/copy"), IsCurrent: false));
        await _world.RunAsync(new DeleteSnapshot(Name, "two", metadataOnly: false));
        Assert.True(_world.Host.State.Images.ContainsKey("/images/copy"));

        SnapshotDocument Moved(string path) => two with
        {
            Content = two.Content with
            {
                Layers = [.. two.Content.Layers.Select(l => l.Id == layer.Id ? l with { Path = path } : l)],
                Modified = two.Content.Modified.SetItem(path, two.Content.Modified[layer.Path]),
            },
        };
    }

    [Fact]
    public async Task What_the_domain_or_a_tip_writes_to_is_not_put_back_as_frozen()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("base");
        await _world.StartAsync();
        var xml = await ReadAsync("base");
        await ForgetAsync("base");
        var head = _world.Catalog.Head.Disks[0].Layer;
        var written = LayerGraph.Of(_world.Catalog)[head];
        var forged = xml with
        {
            Content = xml.Content! with
            {
                Disks = [xml.Content.Disks[0] with { Layer = head }, xml.Content.Disks[1]],
                Layers = xml.Content.Layers.Add(written),
            },
        };

        await RefusedAsync(forged, written.Path, "writes to");
        await _world.RunAsync(new RedefineSnapshot(Name, xml, IsCurrent: false));
        await RefusedAsync(xml with { Name = "again", Id = null }, "belongs to snapshot 'base'");
    }

    [Fact]
    public async Task A_document_without_our_cookie_is_enough_where_a_known_layer_took_the_writes_R144()
    {
        await TakeAsync("memory in a file");
        var before = Inspection.Tree(_world.Catalog);
        var one = await ReadAsync("one");
        await ForgetAsync("one");

        await _world.RunAsync(new RedefineSnapshot(Name, one with { Content = null }, IsCurrent: true));

        Assert.Equal(before, Inspection.Tree(_world.Catalog));
        await RevertAsync();
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task One_that_was_put_back_is_deleted_with_its_files_like_any_other(string way)
    {
        await TakeAsync(way);
        await _world.RunAsync(Scenario.Revert("base") with { DiscardCurrent = true });
        var one = await ReadAsync("one");
        var kept = one.Content!.Layers.Where(l => l.Origin is LayerOrigin.Coppice && l.Inside is null).Select(l => l.Path).ToArray();
        await ForgetAsync("one");
        await _world.RunAsync(new RedefineSnapshot(Name, one, IsCurrent: false));

        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false));

        _world.Forgotten.Clear();
        Inspection.CheckAll(_world);
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Path == kept.FirstOrDefault());
    }

    [Fact]
    public async Task The_definition_comes_back_too_if_nothing_else_has_it_any_more_R143()
    {
        var definition = DomainSeal.AssignAddresses(World.Definition());
        await _world.RunAsync(new DefineDomain(definition));
        await _world.SnapshotExternalAsync("one");
        var one = await ReadAsync("one");
        var had = _world.Catalog.Find("one").Definition;
        await ForgetAsync("one");
        await _world.RunAsync(new DefineDomain(definition with { VirtualCpus = 2 }));
        Assert.DoesNotContain(had, _world.Catalog.Definitions);

        await RefusedAsync(one with { Domain = DomainXml.Format(World.Definition()) }, "<domain>", "address");
        await _world.RunAsync(new RedefineSnapshot(Name, one, IsCurrent: false));

        Assert.Equal(2, (await _world.Open().ShowAsync(Name)).Definition.VirtualCpus);
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Equal(1, (await _world.Open().ShowAsync(Name)).Definition.VirtualCpus);
    }

    [Fact]
    public async Task An_image_that_another_domain_uses_by_now_is_refused()
    {
        await TakeAsync("disks only");
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Revert("base") with { DiscardCurrent = true });
        var two = (await ReadAsync("two")) with { Parent = "base" };
        await ForgetAsync("two");
        await ForgetAsync("one");
        var path = two.Content!.Layers.First(l => l.Id == two.Content.Disks[0].Layer).Path;
        var other = World.Definition("other", 2);
        await _world.RunAsync(new DefineDomain(other with
        {
            Devices = [other.Disks[0] with { Source = path, Format = ImageFormat.Qcow2, ReadOnly = false }],
        }));

        await RefusedAsync(two, "'other'");
    }

    [Fact]
    public async Task A_plan_changes_nothing()
    {
        await TakeAsync("memory in a file");
        var xml = await DumpAsync("one");
        await ForgetAsync("one");
        var (catalog, host) = (Inspection.Tree(_world.Catalog), _world.Host.State);

        var planned = await _world.Open().RunAsync(Redefine(xml), new RunOptions { PlanOnly = true });

        Assert.Equal("put the reference back", planned.Plan.Mechanism);
        Assert.Empty(planned.Plan.Steps);
        Assert.Equal((catalog, host), (Inspection.Tree(_world.Catalog), _world.Host.State));
    }

    private static RedefineSnapshot Redefine(string xml, bool isCurrent = false) =>
        new(Name, SnapshotXml.Parse(xml, SnapshotParseMode.Redefine), isCurrent);

    private async Task TakeAsync(string way)
    {
        await _world.DefineAsync();
        await _world.RunAsync(new DefineDomain(way switch
        {
            "TPM" => World.Tpm(), "UEFI" => World.Uefi(), "block device" => World.Device(), _ => World.Definition(),
        }));
        await _world.SnapshotExternalAsync("base");
        if (way != "off")
        {
            await _world.StartAsync();
        }

        var request = new CreateSnapshot(Name) { Name = "one", Description = "kept" };
        await _world.RunAsync(way switch
        {
            "disks only" => request with { DiskOnly = true },
            "off" => request with { Disks = [.. Scenario.External("vda", "vdb")] },
            "memory in a disk" => Scenario.Inside("one", "vda") with { Description = "kept" },
            "memory in a disk that moved" => request with { Memory = new MemoryRequest(MemoryMode.Internal) },
            _ => request,
        });
        _world.Host.Tick();
    }

    private async Task RevertAsync()
    {
        await _world.RunAsync(new RevertSnapshot(Name, "one", RevertState.Running, DiscardCurrent: false, Force: false));
        _world.Host.Tick();
        _world.Host.Tick();
        Assert.Equal(0, _world.Host.State.Bad);
        Inspection.CheckAll(_world);
    }

    private Task ForgetAsync(string name) => _world.ForgetAsync(name);

    private Task<SnapshotDocument> ReadAsync(string name) => _world.Open().ReadSnapshotAsync(Name, name);

    private async Task<string> DumpAsync(string name) => SnapshotXml.Format(await ReadAsync(name));

    private async Task WithHostAsync(string? image, Func<FakeImage, FakeImage> change, Func<Task> act)
    {
        var before = _world.Host.State;
        _world.Host.State = image is null ? before with { Memories = before.Memories.Clear() } : before.With(image, change);
        await act();
        _world.Host.State = before;
    }

    private async Task RefusedAsync(SnapshotDocument document, params string[] parts)
    {
        var before = Inspection.Tree(_world.Catalog);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new RedefineSnapshot(Name, document, IsCurrent: true)));
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.NotEmpty(error.NextStep);
        Assert.NotEqual(ErrorKind.Internal, error.Kind);
        Assert.Equal(before, Inspection.Tree(_world.Catalog));
    }
}
