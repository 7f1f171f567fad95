using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>A revert that takes a snapshot of what it leaves, in one operation (R161, R164).</summary>
public sealed class CheckpointRevertTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task What_is_left_is_a_snapshot_with_memory_and_disks_and_no_tip_and_can_be_returned_to()
    {
        await RunningAsync();
        var layers = LayerGraph.Of(_world.Catalog).All.Length;
        var written = CrashPoints.Acknowledged(_world);
        await _world.RunAsync(Scenario.Checkpointed("one", new MemoryRequest(MemoryMode.External, "/images/left.mem")));
        var left = _world.Catalog.Find("left");
        Assert.Empty(_world.Catalog.Tips);
        Assert.Equal("/images/left.mem", left.Memory.File);
        Assert.Equal(_world.Catalog.Find("two").Id, left.Parent);
        Assert.Equal(_world.Catalog.Find("one").Id, _world.Catalog.Current);

        // The head of the other branch was frozen as it stood: only the new head needs layers.
        Assert.Equal(layers + 2, LayerGraph.Of(_world.Catalog).All.Length);
        Inspection.CheckAll(_world);

        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("left"));
        Assert.Equal(written, CrashPoints.Acknowledged(_world));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Without_memory_it_keeps_the_disks_and_of_a_domain_that_is_off_it_needs_no_process_R167()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Checkpointed("one", new MemoryRequest(MemoryMode.None)));
        Assert.Equal((MemoryMode.None, DomainState.Running), (_world.Catalog.Find("left").Memory.Mode, _world.Catalog.Find("left").State));
        await _world.RunAsync(new KillDomain(Name));
        var result = await _world.RunAsync(Scenario.Checkpointed("off") with { Checkpoint = new CreateSnapshot(Name) { Name = "off again" } });
        Assert.All(result.Steps, s => Assert.StartsWith("store.", s.Kind, StringComparison.Ordinal));
        Assert.Equal((MemoryMode.None, DomainState.Off), (_world.Catalog.Find("off again").Memory.Mode, _world.Catalog.Find("off again").State));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_disk_that_the_domain_takes_along_takes_no_part()
    {
        await RunningAsync();
        await _world.RunAsync(new KillDomain(Name));
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "a", Disks = [new("vda", DiskMode.External), new("vdb", DiskMode.None)] });
        await _world.RunAsync(Scenario.Checkpointed("a"));
        Assert.Equal([DiskMode.External, DiskMode.None], _world.Catalog.Find("left").Disks.Select(d => d.Mode));
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData("two", null, ErrorKind.AlreadyExists)]
    [InlineData("a/b", null, ErrorKind.InvalidInput)]
    [InlineData("left", "relative.mem", ErrorKind.InvalidInput)]
    [InlineData("left", "/images/web-a.qcow2", ErrorKind.AlreadyExists)]
    public async Task A_bad_name_or_file_is_refused_before_anything_is_touched(string name, string? file, ErrorKind kind)
    {
        await RunningAsync();
        var before = _world.Catalog.Revision;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Revert("one") with
        {
            Checkpoint = new CreateSnapshot(Name) { Name = name, Memory = file is null ? null : new(MemoryMode.External, file) },
        }));
        Assert.Equal((kind, before), (error.Kind, _world.Catalog.Revision));
        Inspection.CheckAll(_world);
    }

    private async Task RunningAsync()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("off");
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
    }
}
