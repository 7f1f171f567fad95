using Coppice.Core;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>What comes first in a command, and cannot be brought to its end there, is not forgotten for what comes next.</summary>
public sealed class UnsettledTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose()
    {
        FileActs.Observer = null;
        _world.Dispose();
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Wherever_files_fail_for_a_moment_a_merged_layer_keeps_a_name_that_the_catalog_knows(int failures)
    {
        await AwaitNameAsync();
        var (disk, host) = (DiskImage.Read(_world.Path1), _world.Host.State);
        var refused = 0;
        for (var (at, met) = (0, true); met; at++)
        {
            disk.WriteTo(_world.Path1);
            _world.Host.State = host;
            var count = 0;
            FileActs.Observer = (_, path) =>
            {
                if (count++ is var now && now >= at && now < at + failures)
                {
                    throw FileException.Of(path, Errno.NoSpace);
                }
            };
            refused += await FailsAsync() ? 1 : 0;
            met = count > at;
            FileActs.Observer = null;
            await _world.SettleAsync();
            Assert.All(LayerGraph.Of(_world.Catalog).All, l => Assert.True(_world.Host.State.Images.ContainsKey(l.Path), $"point {at}: {l.Path} is gone"));
            Inspection.CheckAll(_world);
        }

        Assert.True(refused > 0);
    }

    private async Task<bool> FailsAsync()
    {
        try
        {
            await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "four", Disks = [.. Scenario.External("vda", "vdb")] });
            return false;
        }
        catch (CoppiceException e)
        {
            Assert.Contains(e.Kind, new[] { ErrorKind.Storage, ErrorKind.Busy });
            return true;
        }
    }

    /// <summary>The domain is off, and a merged layer is to get the name that was chosen for it.</summary>
    private async Task AwaitNameAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await _world.SnapshotAsync(name);
            _world.Host.Tick();
        }

        _world.Host.Asked = _world.Host.Tick;
        await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: false)
        {
            Direction = MergeDirection.Commit, FinalNames = [new FinalName("vda", "final.qcow2")], Wait = true,
        });
        _world.Host.Asked = null;
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.Single(_world.Catalog.Renames);
    }
}
