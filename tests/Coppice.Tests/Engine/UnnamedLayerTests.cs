using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Layers that only the head needs, since no snapshot refers to them (any more): what is in them is not lost unasked.</summary>
public sealed class UnnamedLayerTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    /// <summary>Each way in which what was written comes to lie below an empty layer that no snapshot froze.</summary>
    public static TheoryData<string> Ways => ["without metadata", "deleted", "forgotten"];

    [Theory, MemberData(nameof(Ways))]
    public async Task A_revert_keeps_what_was_written_below_an_empty_layer_and_undo_brings_it_back(string way)
    {
        await WrittenBelowAsync(way);
        var head = Contents();
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Single(_world.Catalog.Tips);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new UndoRevert(World.Name));
        Assert.Equal(head, Contents());
        Inspection.CheckAll(_world);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task A_disk_whose_writes_lie_below_an_empty_layer_is_not_detached_unasked(string way)
    {
        await WrittenBelowAsync(way);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdb")));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        await _world.RunAsync(Scenario.Detach("vdb") with { Discard = true });
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_forgotten_snapshot_had_frozen_is_told_with_how_long_it_stays()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        var frozen = _world.Catalog.Find("two").Layers[0].Path;
        var result = await _world.RunAsync(new DeleteSnapshot(World.Name, "two", MetadataOnly: true));
        Assert.Contains($"{frozen} is kept as long as something builds on it", result.Plan.Warnings);
        Assert.Contains(result.Plan.Warnings, w => w.EndsWith(".mem is kept and no longer known", StringComparison.Ordinal));
        Assert.DoesNotContain(_world.Catalog.Snapshots.Values, s => s.Name == "two");
    }

    /// <summary>The domain is off, with a snapshot named one; its guest has written since, below layers that are empty.</summary>
    private async Task WrittenBelowAsync(string way)
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        await _world.StartAsync();
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new CreateSnapshot(World.Name)
        {
            Name = "two", NoMetadata = way is "without metadata", Disks = [.. Scenario.External("vda", "vdb")],
        });
        if (way is not "without metadata")
        {
            await _world.RunAsync(new DeleteSnapshot(World.Name, "two", MetadataOnly: way is "forgotten"));
        }
    }

    private long[] Contents()
    {
        var graph = new LayerGraph(_world.Catalog);
        return [.. _world.Catalog.Head.Disks.Select(d => _world.Host.State.Last(graph[d.Layer].Path))];
    }
}
