using Coppice.Core;
using Coppice.Files;

namespace Coppice.Tests.Engine;

public sealed class CostTests : IDisposable
{
    private readonly World _world = new();
    private readonly List<string> _acts = [];

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_pause_costs_two_flushes()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(new PauseDomain(World.Name));
        await _world.RunAsync(new ResumeDomain(World.Name));
        await WatchAsync(new PauseDomain(World.Name));
        Assert.Equal(2, _acts.Count(a => a.StartsWith("Flush", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task No_file_is_touched_while_the_guest_stands_still()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await WatchAsync(new CreateSnapshot(World.Name));
        var (stop, go) = (_acts.IndexOf("stop"), _acts.IndexOf("continue"));
        Assert.True(stop > 0);
        Assert.Equal(["stop", "write memory", "move disks", "complete memory"], _acts[stop..go]);
    }

    private async Task WatchAsync(Request request)
    {
        FileActs.Observer = (act, _) => _acts.Add($"{act}");
        _world.Host.Acting = _acts.Add;
        await _world.RunAsync(request);
        FileActs.Observer = null;
    }
}
