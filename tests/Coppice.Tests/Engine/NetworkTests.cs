using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Domains on networks of their host: what is missing is found before the guest that runs is touched.</summary>
public sealed class NetworkTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(World.Bridge)]
    [InlineData(World.Tap)]
    public async Task A_revert_whose_network_is_gone_leaves_the_guest_running(string gone)
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        var before = Inspection.Tree(_world.Catalog);
        _world.Host.Networks.Remove(gone);
        foreach (var request in (Request[])[Scenario.Revert("one"), Scenario.Revert("one") with { DiscardCurrent = true }])
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(ErrorKind.NotFound, error.Kind);
            Assert.Contains(gone, error.Subject, StringComparison.Ordinal);
            Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
            Assert.Equal(before, Inspection.Tree(_world.Catalog));
            Inspection.CheckAll(_world);
        }
    }

    [Fact]
    public async Task A_tap_device_that_another_domain_has_is_refused_at_the_start_and_free_when_that_one_is_saved()
    {
        await StartAsync();
        var other = World.OnNetworks() with { Id = new DomainId(Guid.NewGuid()), Name = "other", Disks = [] };
        await _world.RunAsync(new DefineDomain(other));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new StartDomain("other", Paused: false)));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        await _world.RunAsync(new SaveDomain(World.Name));
        await _world.RunAsync(new StartDomain("other", Paused: false));
        Assert.Equal([World.Tap], Assert.Single(_world.Host.State.Processes.Values).Taps);
        error = await HomeTests.FailAsync(_world.StartAsync);
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        await _world.RunAsync(new KillDomain("other"));
        await _world.StartAsync();
        Assert.Equal([World.Tap], Assert.Single(_world.Host.State.Processes.Values).Taps);
    }

    [Fact]
    public async Task A_revert_goes_back_to_the_network_of_its_time()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("without");
        await _world.RunAsync(new KillDomain(World.Name));
        await StartAsync();
        await _world.SnapshotAsync("with");
        await _world.RunAsync(Scenario.Revert("without"));
        Assert.Empty(Assert.Single(_world.Host.State.Processes.Values).Taps);
        await _world.RunAsync(Scenario.Revert("with"));
        Assert.Equal([World.Tap], Assert.Single(_world.Host.State.Processes.Values).Taps);
        Inspection.CheckAll(_world);
    }

    private async Task StartAsync()
    {
        await _world.RunAsync(new DefineDomain(World.OnNetworks()));
        await _world.StartAsync();
    }
}
