using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A disk of a snapshot as a disk of another domain (R243).</summary>
public sealed class SnapshotDiskTests : IDisposable
{
    private const string Other = "other";
    private readonly World _world = new();

    private (DomainFolder Folder, Catalog Catalog) To => _world.Fork(Other);

    public void Dispose() => _world.Dispose();

    [Theory, InlineData(false), InlineData(true)]
    public async Task It_begins_as_the_snapshot_has_it_and_the_snapshot_stays_as_it_is(bool running)
    {
        await SetUpAsync();
        if (running)
        {
            await _world.RunAsync(new StartDomain(Other, Paused: false));
            _world.Host.Tick();
        }

        var frozen = Frozen();
        var content = _world.Host.State.Read(frozen.Path);
        await _world.RunAsync(Attach() with { Target = "vdc" });
        var disk = To.Catalog.Head.Disks.Single(d => d.Target == "vdc");
        var chain = LayerGraph.Of(To.Catalog).Chain(disk.Layer);
        Assert.Equal([LayerOrigin.Coppice, LayerOrigin.Coppice, LayerOrigin.Borrowed], chain.Select(l => l.Origin));
        Assert.Equal(2, _world.Host.State.NamesOf(frozen.Path).Length);
        Assert.Equal(content, _world.Host.State.Read(chain[1].Path));
        Inspection.CheckAll(_world);
        if (running)
        {
            _world.Host.Tick();
            _world.Host.Tick();
        }

        Assert.Equal(content, _world.Host.State.Read(frozen.Path));
        Inspection.CheckAll(_world);
        await _world.RunAsync(new DetachDisk(Other, "vdc", Discard: true));
        Assert.Single(_world.Host.State.NamesOf(frozen.Path));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Read_only_it_has_an_empty_layer_that_nobody_writes()
    {
        await SetUpAsync();
        await _world.RunAsync(Attach() with { ReadOnly = true });
        var disk = To.Catalog.Head.Disks[^1];
        Assert.Equal("vdc", disk.Target);
        var chain = LayerGraph.Of(To.Catalog).Chain(disk.Layer);
        Assert.Equal(_world.Host.State.IdentityOf(Frozen().Path), _world.Host.State.IdentityOf(chain[1].Path));
        await _world.RunAsync(new StartDomain(Other, Paused: false));
        _world.Host.Tick();
        Assert.Empty(_world.Host.State.Images[chain[0].Path].Blocks);
        Assert.Equal(0, _world.Host.State.Bad);
    }

    [Fact]
    public async Task A_snapshot_keeps_one_that_is_only_read_and_brings_it_back_also_if_it_was_forgotten_meanwhile()
    {
        await SetUpAsync();
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(Attach() with { Domain = "copy", To = World.Name, ReadOnly = true });
        await _world.SnapshotExternalAsync("two");
        var kept = _world.Catalog.Find("two").Disks.Single(d => d.Target == "vdc");
        Assert.True(kept.IsKept);
        Assert.Equal(kept.Layer, _world.Catalog.Head.Disks.Single(d => d.Target == "vdc").Layer);
        await _world.DumpAsync("two", d => d);
        await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: true));
        await _world.RunAsync(new RedefineSnapshot(World.Name, _world.Dumped!, IsCurrent: false));

        await _world.RunAsync(new DetachDisk(World.Name, "vdc", Discard: false));
        await _world.RunAsync(Scenario.Revert("two"));
        Assert.True(_world.Host.State.Images.ContainsKey(LayerGraph.Of(_world.Catalog)[kept.Layer].Path));
        Assert.Equal(kept.Layer, _world.Catalog.Head.Disks.Single(d => d.Target == "vdc").Layer);
    }

    [Fact]
    public async Task A_fork_gets_a_disk_of_what_it_was_forked_from_and_goes_on_when_that_is_gone()
    {
        await SetUpAsync();
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(new StartDomain("copy", Paused: false));
        await _world.RunAsync(Attach() with { To = "copy" });
        _world.Host.Tick();
        Inspection.CheckAll(_world);
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }

    [Theory, InlineData("vda"), InlineData("vdb")]
    public async Task What_was_forked_gets_a_disk_of_its_fork_back_and_knows_that_the_images_below_are_its_own(string disk)
    {
        await SetUpAsync();
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(Attach() with { Domain = "copy", Disk = disk, To = World.Name });
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Origin is LayerOrigin.Borrowed);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new UndefineDomain("copy", Snapshots: true));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        _world.Host.Tick();
        Assert.Equal(0, _world.Host.State.Bad);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_cannot_be_is_refused_by_name_and_nothing_has_changed()
    {
        await SetUpAsync();
        var before = _world.Host.State;
        foreach (var (request, kind, word) in new[]
        {
            (Attach() with { Disk = "vdx" }, ErrorKind.NotFound, "vda, vdb"),
            (Attach() with { To = World.Name }, ErrorKind.InvalidInput, "snapshot fork"),
            (Attach() with { Target = "vda" }, ErrorKind.AlreadyExists, "another"),
            (Attach() with { Snapshot = "no" }, ErrorKind.NotFound, ""),
        })
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(kind, error.Kind);
            Assert.Contains(word, error.NextStep, StringComparison.Ordinal);
        }

        Assert.Equal(before, _world.Host.State);
        Assert.Empty(_world.Catalog.Loans);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task What_the_other_domain_shares_already_under_that_name_stays_its_own_whatever_becomes_of_the_attach(bool readOnly)
    {
        await ForkedWithoutDiskAsync();
        var before = LayerGraph.Of(_world.Fork("copy").Catalog);
        var frozen = _world.Fork("copy").Catalog.Find("disks").Layers.Single(l => l.Disk == "vda");
        Assert.Equal(3, before.Chain(frozen.Id).Length);
        var attach = new AttachSnapshotDisk(World.Name, "disks", "vda", "copy") { Target = "vda", ReadOnly = readOnly };
        _world.Host.Acting = what => _ = what.StartsWith("create", StringComparison.Ordinal) ? throw new IOException("no") : 0;
        await HomeTests.FailAsync(() => _world.RunAsync(attach));
        Inspection.CheckAll(_world);
        _world.Host.Acting = null;
        var result = await _world.RunAsync(attach);
        Assert.DoesNotContain(result.Plan.Prepare, s => s.Kind == "store.link");
        var catalog = _world.Fork("copy").Catalog;
        var chain = LayerGraph.Of(catalog).Chain(catalog.Head.Disks.Single(d => d.Target == "vda").Layer);
        Assert.Equal(before.Chain(frozen.Id), chain[1..]);
        Assert.Equal(2, _world.Host.State.NamesOf(frozen.Path).Length);
        await _world.RunAsync(new StartDomain("copy", Paused: false));
        _world.Host.Tick();
        Assert.Equal(0, _world.Host.State.Bad);
        await _world.RunAsync(new KillDomain("copy"));
        await _world.RunAsync(new DetachDisk("copy", "vda", Discard: true));
        Assert.Equal(2, _world.Host.State.NamesOf(frozen.Path).Length);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_file_that_is_no_longer_on_record_is_not_taken_for_one_that_was_linked_now()
    {
        await ForkedWithoutDiskAsync();
        var left = _world.Fork("copy").Catalog.Find("disks").Layers.Single(l => l.Disk == "vda").Path;
        await _world.RunAsync(new DeleteSnapshot("copy", "disks", metadataOnly: true));
        var before = _world.Host.State;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(
            new AttachSnapshotDisk(World.Name, "disks", "vda", "copy") { Target = "vda" }));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.StartsWith(Path.GetDirectoryName(left)!, error.Subject, StringComparison.Ordinal);
        Assert.Contains("--as", error.NextStep, StringComparison.Ordinal);
        Assert.Equal(before, _world.Host.State);
        await _world.RunAsync(new AttachSnapshotDisk(World.Name, "disks", "vda", "copy") { Target = "vdc" });
        Assert.Equal(3, _world.Host.State.NamesOf(left).Length);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_disk_on_which_nothing_was_written_is_let_go_of_while_somebody_else_has_what_it_began_on(bool readOnly)
    {
        await SetUpAsync();
        await _world.RunAsync(Attach() with { Target = "vdc", ReadOnly = readOnly });
        await _world.RunAsync(new DetachDisk(Other, "vdc", Discard: false));
        Assert.Single(_world.Host.State.NamesOf(Frozen().Path));
        Inspection.CheckAll(_world);

        await _world.RunAsync(Attach() with { Target = "vdc", ReadOnly = readOnly });
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DetachDisk(Other, "vdc", Discard: false)));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
    }

    [Fact]
    public async Task Two_names_that_one_domain_has_of_a_file_keep_it_for_nobody_else()
    {
        await SetUpAsync();
        await _world.RunAsync(Attach() with { Target = "vdc" });
        await _world.RunAsync(Attach() with { Target = "vdd" });
        var undefine = new UndefineDomain(Other, Snapshots: false);
        var planned = await _world.Open().RunAsync(undefine, new RunOptions { PlanOnly = true });
        Assert.False(planned.Executed);
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(undefine));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("/vdc/", error.Problem, StringComparison.Ordinal);
        Inspection.CheckAll(_world);
    }

    private Layer Frozen() => LayerGraph.Of(_world.Catalog)[_world.Catalog.Find("one").Disks[0].Layer];

    private static AttachSnapshotDisk Attach() => new(World.Name, "one", "vda", Other);

    /// <summary>A fork that is off, whose snapshot has a disk on two linked layers that its head has no more.</summary>
    private async Task ForkedWithoutDiskAsync()
    {
        await SetUpAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "disks", DiskOnly = true });
        await _world.RunAsync(Scenario.Fork("disks"));
        await _world.RunAsync(new DetachDisk("copy", "vda", Discard: false));
    }

    private async Task SetUpAsync()
    {
        await _world.DefineAsync();
        var other = World.Definition(Other, 2);
        foreach (var disk in other.Disks)
        {
            _world.AddImage(disk.Source!);
        }

        await _world.RunAsync(new DefineDomain(other));
        await _world.StartAsync();
        await _world.SnapshotAsync("zero");
        _world.Host.Tick();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
    }
}
