using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Overlays that the user made beforehand, and layers that no snapshot is recorded for.</summary>
public sealed class PreparedOverlayTests : IDisposable
{
    private const string Overlay = "/images/prepared-a";
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task An_overlay_that_was_made_beforehand_takes_the_writes_and_stays_the_users()
    {
        await RunningAsync();
        var result = await _world.RunAsync(Scenario.Prepared("one"));
        Assert.Contains(result.Steps, s => s.Kind == "store.adopt" && s.Summary.Contains(Overlay, StringComparison.Ordinal));
        Assert.DoesNotContain(result.Steps, s => s.Kind == "store.overlay");
        _world.Host.Tick();
        Assert.NotEmpty(_world.Host.State.Images[Overlay].Blocks);
        var graph = LayerGraph.Of(_world.Catalog);
        Assert.All(_world.Catalog.Head.Disks, d => Assert.Equal(LayerOrigin.User, graph[d.Layer].Origin));

        // What nothing reaches any more is forgotten, but not removed: it was never ours.
        await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Path == Overlay);
        Assert.True(_world.Host.State.Images.ContainsKey(Overlay));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_file_that_is_not_an_empty_overlay_on_the_disk_is_refused_before_anything_is_touched()
    {
        await RunningAsync();
        await RefusedAsync("missing", s => s with { Images = s.Images.Remove(Overlay) }, ErrorKind.NotFound, Overlay);
        await RefusedAsync("on another image", s => s.With(Overlay, i => i with { Backing = "/images/more.qcow2" }), ErrorKind.Damaged, "builds on");
        await RefusedAsync("on none", s => s.With(Overlay, i => i with { Backing = null }), ErrorKind.Damaged, "builds on");
        await RefusedAsync("written", s => s.With(Overlay, i => i with { Blocks = i.Blocks.Add(0, 1) }), ErrorKind.InvalidInput, "is not empty", "qemu-img create");
        await RefusedAsync("larger", s => s.With(Overlay, i => i with { VirtualSize = new ByteCount(2 << 20) }), ErrorKind.InvalidInput, "2097152", "1048576");
    }

    [Fact]
    public async Task A_file_with_another_name_is_refused()
    {
        await RunningAsync();
        _world.Host.Link(Overlay, "/images/linked");
        await RefusedAsync("linked", s => s, ErrorKind.Forbidden, "2 names");
    }

    [Fact]
    public async Task A_block_device_takes_an_overlay_that_is_a_file()
    {
        await _world.RunAsync(new DefineDomain(World.Device()));
        Scenario.MakeOverlays(_world);
        await _world.RunAsync(Scenario.Prepared("one"));
        var graph = LayerGraph.Of(_world.Catalog);
        var chain = graph.Chain(_world.Catalog.Head.Disks[1].Layer);
        Assert.Equal([StorageType.File, StorageType.Block], chain.Select(l => l.Type));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Every_external_disk_needs_its_file()
    {
        await RunningAsync();
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Prepared("one") with { Disks = [Scenario.Prepared("one").Disks[0]] }));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains("--disk vdb=external:FILE", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_somebody_takes_into_use_after_it_was_looked_at_is_refused_and_the_guest_runs_on()
    {
        await RunningAsync();
        var user = new FakeProcess(new DomainId(Guid.Empty), [new FakeDrive("vda", Overlay, true)], DomainState.Paused, 0);
        _world.Host.State = _world.Host.State with { Processes = _world.Host.State.Processes.Add(new ShortId("ffffffff"), user) };

        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Prepared("one")));

        Assert.Contains(Overlay, error.Message, StringComparison.Ordinal);
        _world.Host.State = _world.Host.State with { Processes = _world.Host.State.Processes.Remove(new ShortId("ffffffff")) };
        Assert.Empty(_world.Catalog.Snapshots);
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Firmware_variables_get_a_layer_of_ours_also_where_the_disks_have_theirs()
    {
        await _world.RunAsync(new DefineDomain(World.Uefi()));
        Scenario.MakeOverlays(_world);
        await _world.RunAsync(Scenario.Prepared("one"));
        var graph = LayerGraph.Of(_world.Catalog);
        Assert.Equal(
            [LayerOrigin.User, LayerOrigin.User, LayerOrigin.Coppice], _world.Catalog.Head.Disks.Select(d => graph[d.Layer].Origin));
    }

    [Fact]
    public async Task Without_metadata_the_guest_moves_on_and_the_result_says_where_what_was_frozen_is()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var frozen = LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer];

        var result = await _world.RunAsync(new CreateSnapshot(World.Name) { NoMetadata = true, Memory = new(MemoryMode.External, "/images/frozen.mem") });

        Assert.Contains(result.Plan.Warnings, w => w.Contains($"'vda' as it was is in {frozen.Path}", StringComparison.Ordinal));
        Assert.Contains(result.Plan.Warnings, w => w.StartsWith("the memory is in /images/frozen.mem", StringComparison.Ordinal));
        Assert.Equal("one", Assert.Single(_world.Catalog.Snapshots.Values).Name);
        Assert.Equal(_world.Catalog.Find("one").Id, _world.Catalog.Current);
        _world.Host.Tick();

        // The head needs it, whatever else is removed.
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: true));
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new StartDomain(World.Name, Paused: false));
        Assert.True(_world.Host.State.Images.ContainsKey(frozen.Path));
        Assert.Equal(0, _world.Host.State.Bad);
    }

    [Fact]
    public async Task Without_metadata_memory_goes_to_no_file_that_the_user_has_not_named_R97()
    {
        await RunningAsync();
        var before = _world.Host.State;
        foreach (var file in new[] { null, $"{_world.Domain.MemoryFolder}/mine" })
        {
            var request = new CreateSnapshot(World.Name) { NoMetadata = true, Memory = new(MemoryMode.External, file) };
            var error = await HomeTests.FailAsync(() => _world.RunAsync(file is null ? request with { Memory = null } : request));
            Assert.Equal(ErrorKind.InvalidInput, error.Kind);
            Assert.Contains("--memory external:FILE", error.NextStep, StringComparison.Ordinal);
            Assert.Contains("--memory none", error.NextStep, StringComparison.Ordinal);
        }

        Assert.Equal(before, _world.Host.State);
        await _world.RunAsync(new CreateSnapshot(World.Name) { NoMetadata = true, Memory = new(MemoryMode.None) });
        await _world.RunAsync(new CreateSnapshot(World.Name) { NoMetadata = true, Memory = new(MemoryMode.Internal) });
    }

    [Fact]
    public async Task An_overlay_in_the_folder_of_a_domain_is_refused_since_it_would_go_with_it()
    {
        await RunningAsync();
        var file = $"{_world.Domain.Images("vda")}/mine.qcow2";
        _world.AddImage(file, "/images/web-a.qcow2");
        var asked = Scenario.Prepared("one");
        var error = await HomeTests.FailAsync(
            () => _world.RunAsync(asked with { Disks = [asked.Disks[0] with { File = file }, asked.Disks[1]] }));
        Assert.Equal(ErrorKind.Forbidden, error.Kind);
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        Assert.Contains("elsewhere", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_metadata_an_internal_snapshot_is_made_and_left_alone()
    {
        await _world.DefineAsync();
        var result = await _world.RunAsync(new CreateSnapshot(World.Name)
        {
            NoMetadata = true, Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.None)],
        });
        var tag = Assert.Single(_world.Host.State.Images["/images/web-a.qcow2"].Internals.Keys);
        Assert.Contains(result.Plan.Warnings, w => w.Contains(tag, StringComparison.Ordinal));
        await _world.SnapshotExternalAsync("next");
        await _world.RunAsync(new DeleteSnapshot(World.Name, "next", metadataOnly: true));
        Assert.Equal(tag, Assert.Single(_world.Host.State.Images["/images/web-a.qcow2"].Internals.Keys));
    }

    private async Task RunningAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        Scenario.MakeOverlays(_world);
    }

    private async Task RefusedAsync(string what, Func<FakeHostState, FakeHostState> change, ErrorKind kind, params string[] parts)
    {
        var before = _world.Host.State;
        _world.Host.State = change(before);
        var touched = _world.Host.State;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Prepared("one")));
        Assert.True(error.Kind == kind, $"{what}: {error}");
        Assert.All(parts, part => Assert.Contains(part, error.Message, StringComparison.Ordinal));
        Assert.Equal(touched, _world.Host.State);
        Assert.Empty(_world.Catalog.Snapshots);
        _world.Host.State = before;
    }
}
