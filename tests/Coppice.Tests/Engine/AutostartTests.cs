using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>That a domain starts with the host is a property of the domain, as its name is.</summary>
public sealed class AutostartTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task It_stays_through_another_definition_another_name_and_a_revert_until_it_is_taken_back()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new SetAutostart(World.Name, IsOn: true));
        await _world.RunAsync(new DefineDomain(World.Definition() with { VirtualCpus = 2 }));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(new RenameDomain(World.Name, "shop"));
        await _world.RunAsync(Scenario.Revert("one") with { Domain = "shop" });
        Assert.Equal(Persistence.Autostart, _world.Catalog.Persistence);

        await _world.RunAsync(new SetAutostart("shop", IsOn: false));
        var revision = _world.Catalog.Revision;
        await _world.RunAsync(new SetAutostart("shop", IsOn: false));
        Assert.Equal((Persistence.Persistent, revision), (_world.Catalog.Persistence, _world.Catalog.Revision));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_process_that_does_not_answer_is_no_hindrance()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.ProcessesAnswer = false;
        await _world.RunAsync(new SetAutostart(World.Name, IsOn: true));
        Assert.Equal(Persistence.Autostart, _world.Catalog.Persistence);
    }
}
