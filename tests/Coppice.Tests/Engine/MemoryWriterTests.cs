using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Memory remembers which version of the hypervisor wrote it.</summary>
public sealed class MemoryWriterTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Snapshots_tips_and_saved_domains_name_the_process_that_wrote_their_memory()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "disks", DiskOnly = true });
        Assert.Equal("1", _world.Catalog.Find("one").Memory.WrittenBy);
        Assert.Null(_world.Catalog.Find("disks").Memory.WrittenBy);
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Equal("1", Assert.Single(_world.Catalog.Tips).Memory.WrittenBy);

        // Nobody runs when a saved domain is snapshotted: its memory was written before.
        await _world.RunAsync(new SaveDomain(World.Name));
        await _world.SnapshotAsync("saved");
        Assert.Equal("1", _world.Catalog.Head.Saved!.Image.WrittenBy);
        Assert.Equal("1", _world.Catalog.Find("saved").Memory.WrittenBy);
    }
}
