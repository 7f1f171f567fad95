using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>What a fork keeps from going, and where room can be made for it.</summary>
public sealed class ForkLeavingsTests : ForkBed
{
    [Fact]
    public async Task Undefining_the_original_tells_which_internal_snapshots_stay_in_files_that_a_fork_has_too()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        await _world.RunAsync(new CreateSnapshot(Original)
        {
            Name = "inside", Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.None)],
        });
        await _world.SnapshotExternalAsync("two");
        var inside = Assert.Single(_world.Catalog.Find("inside").Layers);
        await _world.RunAsync(Scenario.Fork("two"));
        Assert.Equal(2, _world.Host.State.NamesOf(inside.Path).Length);

        var result = await _world.RunAsync(new UndefineDomain(Original, Snapshots: true));
        Assert.Single(result.Plan.Warnings, w => w.StartsWith($"internal snapshot {inside.Inside!.Tag} stays in {inside.Path}", StringComparison.Ordinal));
        Assert.Single(_world.Host.State.Images.Values, i => i.Internals.ContainsKey(inside.Inside!.Tag));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_fork_for_which_there_is_little_room_is_told_what_frees_some_of_the_original_on_its_file_system()
    {
        foreach (var name in new[] { "one", "two", "three" })
        {
            await SnapshotAsync(name);
        }

        _world.Host.Free = new ByteCount(1 << 30);
        var planned = await _world.Open().RunAsync(Scenario.Fork("two"), new RunOptions { PlanOnly = true });
        Assert.Contains(planned.Plan.Warnings, w => w.EndsWith("is full (coppice prune web --keep-last N)", StringComparison.Ordinal));
    }
}
