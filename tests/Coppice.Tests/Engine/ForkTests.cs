using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A domain that begins on a snapshot of another (R8, R33, R228): they share what is frozen, and nothing else.</summary>
public sealed class ForkTests : ForkBed
{
    [Fact]
    public async Task What_is_inside_an_image_that_a_fork_shares_is_let_go_of_with_the_image()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("zero");
        await _world.RunAsync(new CreateSnapshot(Original)
        {
            Name = "inside", Disks = [new DiskRequest("vda", DiskMode.Internal), new DiskRequest("vdb", DiskMode.External)],
        });
        await _world.SnapshotExternalAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(Scenario.Revert("zero") with { DiscardDescendants = true });
        Assert.Equal("zero", Assert.Single(_world.Catalog.Snapshots.Values).Name);
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Inside is not null);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_fork_with_memory_goes_on_where_the_snapshot_was_and_the_original_where_it_is()
    {
        await SnapshotAsync("one");
        var then = _world.Host.State.Processes.Values.Single().Counter;
        _world.Host.Tick();
        var result = await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        Assert.Equal((Copy, Original), (result.Catalog!.Name, _world.Catalog.Name));
        Assert.Null(Fork.Catalog.Head.Saved);
        Assert.Equal(then, CounterOf(Fork.Catalog));
        Tick(3);
        Assert.Equal(then + 3, CounterOf(Fork.Catalog));
        Assert.Equal(then + 4, CounterOf(_world.Catalog));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Without_start_it_is_saved_or_off_as_the_snapshot_has_memory_or_not()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "disks", DiskOnly = true });
        await _world.RunAsync(Scenario.Fork("one"));
        Assert.Equal(DomainState.Running, Fork.Catalog.Head.Saved!.State);
        await _world.RunAsync(Scenario.Fork("disks") with { Name = "boots" });
        Assert.Null(_world.Fork("boots").Catalog.Head.Saved);
        foreach (var name in new[] { Copy, "boots" })
        {
            await _world.RunAsync(new StartDomain(name, Paused: false));
        }

        Tick(2);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Paused_is_a_choice_of_its_own()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Paused });
        Assert.Equal(DomainState.Paused, ProcessOf(Fork.Catalog).State);
    }

    [Fact]
    public async Task What_is_frozen_has_two_names_and_each_of_both_goes_with_its_domain_R176()
    {
        await SnapshotAsync("zero");
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        var shared = _world.Catalog.Find("one").Layers.Select(l => l.Path).Append(_world.Catalog.Find("one").Memory.File!).ToArray();
        Assert.All(shared, path => Assert.Equal(2, _world.Host.State.NamesOf(path).Length));
        Assert.Equal(
            shared.Select(Path.GetFileName),
            Fork.Catalog.Find("one").Layers.Select(l => l.Path).Append(Fork.Catalog.Find("one").Memory.File!).Select(Path.GetFileName));
        await _world.RunAsync(new KillDomain(Original));
        await _world.RunAsync(new UndefineDomain(Original, Snapshots: true));
        Inspection.CheckAll(_world);
        Assert.All(
            Fork.Catalog.Find("one").Layers, l => Assert.Equal([l.Path], _world.Host.State.NamesOf(l.Path)));
        await _world.RunAsync(new StartDomain(Copy, Paused: false));
        Tick(2);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_revert_of_the_fork_leads_to_its_beginning()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        var begin = CounterOf(Fork.Catalog);
        Tick(3);
        await _world.RunAsync(new RevertSnapshot(Copy, Snapshot: null, RevertState.AsTaken, DiscardCurrent: true, Force: false));
        Assert.Equal(begin, CounterOf(Fork.Catalog));
        Tick(1);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Whatever_one_does_the_other_has_its_snapshots_as_they_were()
    {
        await SnapshotAsync("zero");
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        var begin = ContentOf(Fork.Catalog, "one");
        Tick(1);
        await _world.RunAsync(Scenario.Revert("one"));
        await _world.RunAsync(new DeleteSnapshot(Original, "one", metadataOnly: false));
        Tick(1);
        Inspection.CheckAll(_world);
        Assert.Equal(begin, ContentOf(Fork.Catalog, "one"));

        await _world.SnapshotAsync("later");
        var later = ContentOf(_world.Catalog, "later");
        await _world.RunAsync(new CreateSnapshot(Copy) { Name = "own" });
        await _world.RunAsync(new RevertSnapshot(Copy, "own", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        await _world.RunAsync(new DeleteSnapshot(Copy, "own", metadataOnly: false));
        await _world.RunAsync(new DeleteSnapshot(Copy, "one", metadataOnly: false));
        Tick(1);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new KillDomain(Copy));
        await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        Tick(1);
        Inspection.CheckAll(_world);
        Assert.Equal(later, ContentOf(_world.Catalog, "later"));
    }

    [Theory, InlineData("inside"), InlineData("moved")]
    public async Task Of_an_internal_snapshot_it_has_copies_and_memory_of_its_own(string snapshot)
    {
        await Scenario.All["revert to inside"].SetUpAsync(_world);
        var content = ContentOf(_world.Catalog, snapshot);
        await _world.RunAsync(Scenario.Fork(snapshot) with { State = ForkState.Running });
        Assert.Equal(content, ContentOf(Fork.Catalog, "", Fork.Catalog.Snapshots.Values.Single()));
        Assert.DoesNotContain(LayerGraph.Of(Fork.Catalog).All, l => l.Inside is not null);
        Tick(2);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new KillDomain(Original));
        var undefined = await _world.RunAsync(new UndefineDomain(Original, Snapshots: true));

        // What is inside an image that the fork uses cannot be removed: nobody writes to it.
        var left = _world.Host.State.Images.SelectMany(i => i.Value.Internals.Keys.Select(tag => $"{i.Key} {tag}")).ToArray();
        Assert.All(left, l => Assert.Contains(undefined.Plan.Warnings, w => w.Contains(l.Split(' ')[1], StringComparison.Ordinal)));
        _world.Forgotten.UnionWith(left);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Firmware_variables_and_TPM_are_its_own()
    {
        await _world.RunAsync(new DefineDomain(World.Uefi(variables: null) with { Devices = World.Tpm().Devices }));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        Tick(2);
        Inspection.CheckAll(_world);
        Assert.Empty(Fork.Catalog.Tpms.Intersect(_world.Catalog.Tpms));
        var variables = DefinitionOf(Fork.Folder, Fork.Catalog).Os.Firmware!.Variables!;
        Assert.StartsWith(Fork.Folder.Images("nvram"), variables, StringComparison.Ordinal);
        await _world.RunAsync(new KillDomain(Copy));
        await _world.RunAsync(new DefineDomain(DefinitionOf(Fork.Folder, Fork.Catalog) with { VirtualCpus = 2 }));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Both_can_be_defined_anew_and_given_disks()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        await _world.RunAsync(new AttachDisk(Original, new NewDisk("/images/more.qcow2", ImageFormat.Qcow2)));
        await _world.RunAsync(new AttachDisk(Copy, new NewDisk("/images/web-c.qcow2", ImageFormat.Qcow2)));
        Tick(1);
        foreach (var (folder, name) in new[] { (_world.Domain, Original), (Fork.Folder, Copy) })
        {
            await _world.RunAsync(new KillDomain(name));
            var catalog = new CatalogStore(folder).Read();
            await _world.RunAsync(new DefineDomain(DefinitionOf(folder, catalog) with { VirtualCpus = 2 }));
            await _world.RunAsync(new StartDomain(name, Paused: false));
        }

        Tick(1);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_snapshot_that_was_forgotten_is_put_back_although_a_fork_shares_it()
    {
        await SnapshotAsync("zero");
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.DumpAsync("one", d => d);
        await _world.ForgetAsync("one");
        await _world.RunAsync(new RedefineSnapshot(Original, _world.Dumped!, IsCurrent: true));
        await _world.RunAsync(Scenario.Revert("one"));
        Tick(1);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_plan_touches_nothing_and_says_what_is_shared()
    {
        await SnapshotAsync("one");
        var before = (_world.Host.State, DiskImage.Read(_world.Path1).Text);
        var planned = await _world.Open().RunAsync(Scenario.Fork("one"), new RunOptions { PlanOnly = true });
        Assert.Equal(before, (_world.Host.State, DiskImage.Read(_world.Path1).Text));
        Assert.False(planned.Executed);
        Assert.Equal(1, planned.Plan.Prepare.Count(s => s.Kind == "store.link"));
        Assert.Contains("2 images are used where they are", planned.Plan.Mechanism, StringComparison.Ordinal);
    }

    private string ContentOf(Catalog catalog, string name, Snapshot? found = null)
    {
        var (graph, snapshot) = (LayerGraph.Of(catalog), found ?? catalog.Find(name));
        return string.Join(';', snapshot.Disks.Select(d => _world.Host.State.Last(graph[d.Layer])));
    }
}
