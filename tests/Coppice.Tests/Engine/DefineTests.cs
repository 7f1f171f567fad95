using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

public sealed class DefineTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData("a\nb")]
    public async Task A_name_that_is_no_name_is_refused(string name)
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition() with { Name = name })));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.False(Directory.Exists(_world.Path1));
    }

    [Fact]
    public async Task A_missing_image_is_refused_and_nothing_is_left()
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition("gone", 7))));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Empty((await _world.Open().ListAsync()).Domains);
        Assert.Empty(DiskImage.Read(_world.Path1).Files);
    }

    [Fact]
    public async Task An_image_that_another_domain_uses_is_refused_naming_it()
    {
        await _world.DefineAsync();
        var thief = World.Definition("thief", 2) with { Disks = World.Definition().Disks };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(thief)));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.Contains("'web'", error.Problem, StringComparison.Ordinal);

        // Reading what another writes is no better, nor is it after a snapshot, when the image is frozen but relied on.
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        Assert.Equal(ErrorKind.AlreadyExists, (await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(thief)))).Kind);
    }

    [Fact]
    public async Task An_image_that_another_domain_writes_is_refused_under_any_name()
    {
        await _world.DefineAsync();
        _world.Host.Link("/images/web-a.qcow2", "/elsewhere/hidden.qcow2");
        _world.AddImage("/images/thief-b.raw");
        var disks = World.Definition("thief", 2).Disks;
        foreach (var readOnly in new[] { false, true })
        {
            var disk = disks[0] with { Source = "/elsewhere/hidden.qcow2", ReadOnly = readOnly };
            var thief = World.Definition("thief", 2) with { Disks = [disk, disks[1]] };
            var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(thief)));
            Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
            Assert.Contains("'web'", error.Problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task One_image_under_two_names_in_a_domain_is_refused()
    {
        _world.Host.Link("/images/web-a.qcow2", "/elsewhere/hidden.qcow2");
        var disks = World.Definition().Disks;
        var twice = World.Definition() with { Disks = [disks[0], disks[1] with { Source = "/elsewhere/hidden.qcow2" }] };
        Assert.Equal(ErrorKind.InvalidInput, (await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(twice)))).Kind);
    }

    [Fact]
    public async Task An_image_of_another_domain_that_is_missing_hinders_nobody()
    {
        await _world.DefineAsync();
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Remove("/images/web-a.qcow2") };
        _world.AddImage("/images/other-a.qcow2");
        _world.AddImage("/images/other-b.raw");
        await _world.RunAsync(new DefineDomain(World.Definition("other", 2)));
        Assert.Equal(2, (await _world.Open().ListAsync()).Domains.Length);
    }

    [Fact]
    public async Task Domains_share_an_image_that_they_only_read()
    {
        _world.AddImage("/images/tools.raw");
        var tools = new DiskDevice { Target = "vdc", Source = "/images/tools.raw", ReadOnly = true };
        foreach (var (name, number) in new[] { ("one", 3), ("two", 4) })
        {
            var definition = World.Definition(name, number);
            _world.AddImage(definition.Disks[0].Source!);
            _world.AddImage(definition.Disks[1].Source!);
            await _world.RunAsync(new DefineDomain(definition with { Disks = definition.Disks.Add(tools) }));
        }

        Assert.Equal(2, (await _world.Open().ListAsync()).Domains.Length);
    }

    [Fact]
    public async Task One_image_in_two_disks_of_a_domain_is_refused()
    {
        var disks = World.Definition().Disks;
        var twice = World.Definition() with { Disks = [disks[0], disks[1] with { Source = disks[0].Source }] };
        Assert.Equal(ErrorKind.InvalidInput, (await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(twice)))).Kind);
    }

    [Fact]
    public async Task A_name_is_taken_once()
    {
        await _world.DefineAsync();
        var second = World.Definition(World.Name, 9);
        Assert.Equal(ErrorKind.AlreadyExists, (await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(second)))).Kind);
    }

    [Fact]
    public async Task Another_definition_replaces_the_stored_one_and_keeps_the_head()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        var before = _world.Catalog;
        await _world.RunAsync(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }));

        Assert.Equal(before.Head.Disks, _world.Catalog.Head.Disks);
        Assert.NotEqual(before.Head.Definition, _world.Catalog.Head.Definition);
        Assert.Equal(before.Current, _world.Catalog.Current);
        Assert.Equal(2 << 20, (await _world.Open().ShowAsync(World.Name)).Definition.Memory.Bytes);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_definition_goes_with_the_last_that_names_it()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "old", Disks = [.. Scenario.External("vda", "vdb")] });
        var old = _world.Catalog.Head.Definition;
        await _world.RunAsync(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }));
        Assert.True(File.Exists(_world.Domain.Definition(old)));
        Inspection.CheckAll(_world);

        await _world.RunAsync(new DeleteSnapshot(World.Name, "old", metadataOnly: false));
        Assert.False(File.Exists(_world.Domain.Definition(old)));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_revert_that_discards_takes_the_definition_that_it_leaves_with_it()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "old", Disks = [.. Scenario.External("vda", "vdb")] });
        await _world.RunAsync(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }));
        var left = _world.Catalog.Head.Definition;
        await _world.RunAsync(Scenario.Revert("old") with { DiscardCurrent = true });
        Assert.False(File.Exists(_world.Domain.Definition(left)));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Another_image_is_taken_only_while_nothing_builds_on_the_old_one()
    {
        await _world.DefineAsync();
        _world.AddImage("/images/fresh.qcow2");
        var disks = World.Definition().Disks;
        var other = World.Definition() with { Disks = [disks[0] with { Source = "/images/fresh.qcow2" }, disks[1]] };
        await _world.RunAsync(new DefineDomain(other));
        Assert.Contains(_world.Catalog.Layers, l => l.Path == "/images/fresh.qcow2");
        Assert.Equal(2, _world.Catalog.Layers.Length);

        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        Assert.Equal(ErrorKind.WouldLose, (await HomeTests.FailAsync(() => _world.DefineAsync())).Kind);
    }

    [Fact]
    public async Task Another_disc_is_put_in_while_a_tip_still_has_the_old_one_and_the_old_one_is_forgotten_with_the_tip()
    {
        await _world.RunAsync(new DefineDomain(WithDisc("/images/one.iso")));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
        await _world.RunAsync(new KillDomain(World.Name));

        await _world.RunAsync(new DefineDomain(WithDisc("/images/two.iso")));
        Assert.Equal("/images/two.iso", Disc(_world.Catalog.Head));
        Assert.Equal("/images/one.iso", Disc(Assert.Single(_world.Catalog.Tips).Head));
        await _world.RunAsync(new DefineDomain(WithDisc(null)));
        Assert.DoesNotContain(_world.Catalog.Layers, l => l.Path == "/images/two.iso");

        await _world.RunAsync(new UndoRevert(World.Name));
        Assert.Equal("/images/one.iso", Disc(_world.Catalog.Head));
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new DefineDomain(WithDisc(null)));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Assert.DoesNotContain(_world.Catalog.Layers, l => l.Disk == "sda");
        Assert.Contains("/images/one.iso", _world.Host.State.Images.Keys);
    }

    [Fact]
    public async Task A_layer_that_Coppice_made_for_a_domain_is_no_base_for_another()
    {
        await _world.DefineAsync();
        foreach (var name in new[] { "one", "two" })
        {
            await _world.RunAsync(new CreateSnapshot(World.Name) { Name = name, Disks = [.. Scenario.External("vda", "vdb")] });
        }

        var graph = LayerGraph.Of(_world.Catalog);
        var frozen = graph.Chain(_world.Catalog.Head.Disks[0].Layer)[1];
        Assert.Equal(LayerOrigin.Coppice, frozen.Origin);
        _world.AddImage("/images/clone-a.qcow2", frozen.Path);
        _world.AddImage("/images/clone-b.raw");
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition("clone", 2))));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.Contains(frozen.Path, error.Subject, StringComparison.Ordinal);
        Assert.Contains("'web'", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_to_define_bears_with_domains_that_come_and_go()
    {
        await _world.DefineAsync();
        foreach (var disk in World.Definition("other", 2).Disks.Concat(World.Definition("third", 3).Disks))
        {
            _world.AddImage(disk.Source!);
        }

        var planner = Task.Run(async () =>
        {
            for (var plan = 0; plan < 50; plan++)
            {
                await _world.Open().RunAsync(new DefineDomain(World.Definition("third", 3)), new RunOptions { PlanOnly = true });
            }
        });
        do
        {
            await _world.RunAsync(new DefineDomain(World.Definition("other", 2)));
            await _world.RunAsync(new UndefineDomain("other", Snapshots: false));
        }
        while (!planner.IsCompleted);
        await planner;
    }

    [Fact]
    public async Task A_running_domain_is_neither_defined_anew_nor_undefined()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(World.Definition() with { VirtualCpus = 7 })))).Kind);
        var undefine = new UndefineDomain(World.Name, Snapshots: true);
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(undefine))).Kind);
    }

    [Fact]
    public async Task Snapshots_go_with_their_domain_only_when_asked()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        var refused = await HomeTests.FailAsync(() => _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false)));
        Assert.Equal(ErrorKind.WouldLose, refused.Kind);

        var planned = await _world.Open().RunAsync(new UndefineDomain(World.Name, Snapshots: true), new RunOptions { PlanOnly = true });
        var layers = _world.Catalog.Layers.Where(l => l.Origin is LayerOrigin.Coppice).Select(l => l.Path);
        Assert.Equal(
            layers.Append(_world.Domain.Definition(_world.Catalog.Head.Definition)).Order(StringComparer.Ordinal),
            planned.Plan.CleanUp.SelectMany(s => s.Files).Select(f => f.Path));
        Assert.All(planned.Plan.CleanUp.SelectMany(s => s.Files), f => Assert.Equal(FakeHost.FileSize, f.Bytes));
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        Inspection.CheckAll(_world);
        Assert.Equal(
            ["/images/web-a.qcow2", "/images/web-b.raw"],
            _world.Host.State.Images.Keys.Except([World.VariablesTemplate, World.DevicePath, "/images/more.qcow2"]));
    }

    [Fact]
    public async Task A_damaged_domain_is_not_taken_for_leftovers()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        File.Delete(_world.Domain.CatalogRoot);
        Assert.Single((await _world.Open().ListAsync()).Broken);
        Assert.Single(Directory.GetFiles(_world.Domain.CatalogRecords));
    }

    [Fact]
    public async Task What_a_guest_wrote_after_a_snapshot_that_is_deleted_does_not_go_unasked()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        var written = _world.Catalog.Layers.Where(l => l.Origin is LayerOrigin.Coppice).Select(l => l.Path).ToArray();
        Assert.NotEmpty(written);

        var refused = await HomeTests.FailAsync(() => _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false)));
        Assert.Equal(ErrorKind.WouldLose, refused.Kind);
        Assert.Contains($"{written.Length} layers", refused.Problem, StringComparison.Ordinal);
        Assert.All(written, path => Assert.Contains(path, refused.Problem, StringComparison.Ordinal));
        Assert.All(written, path => Assert.Contains(path, _world.Host.State.Images.Keys));

        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(new WaitForJobs(World.Name, null));
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task The_folder_of_a_damaged_domain_is_not_taken_over()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        File.Delete(_world.Domain.CatalogRoot);
        var before = DiskImage.Read(_world.Domain.Path).Text;
        var refused = await HomeTests.FailAsync(() => _world.DefineAsync());
        Assert.Equal(ErrorKind.Damaged, refused.Kind);
        Assert.Contains(_world.Domain.Path, refused.Subject, StringComparison.Ordinal);
        Assert.Equal(before, DiskImage.Read(_world.Domain.Path).Text);
    }

    [Fact]
    public async Task A_folder_of_which_something_could_not_be_removed_is_not_taken_over()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        _world.Host.Acting = what => throw new CoppiceException(ErrorKind.Storage, what, "is not allowed today");
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        Assert.Equal(ErrorKind.Damaged, (await HomeTests.FailAsync(() => _world.DefineAsync())).Kind);

        _world.Host.Acting = null;
        await _world.DefineAsync();
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData(null)]
    public async Task Nothing_is_defined_while_a_domain_cannot_be_read(string? root)
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        File.Delete(_world.Domain.CatalogRoot);
        if (root is not null)
        {
            await File.WriteAllTextAsync(_world.Domain.CatalogRoot, root);
        }

        var thief = World.Definition("thief", 2) with { Disks = World.Definition().Disks };
        var refused = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(thief)));
        Assert.Equal(ErrorKind.Damaged, refused.Kind);
        Assert.Contains(_world.Domain.Path, refused.Subject, StringComparison.Ordinal);
    }

    private DomainDefinition WithDisc(string? image)
    {
        if (image is not null)
        {
            _world.AddImage(image);
        }

        var drive = new DiskDevice { Target = "sda", Kind = DiskKind.Cdrom, Source = image, ReadOnly = true };
        return World.Definition() with { Disks = World.Definition().Disks.Add(drive) };
    }

    private string Disc(Head head) => LayerGraph.Of(_world.Catalog)[head.Disks.Single(d => d.Target == "sda").Layer].Path;
}
