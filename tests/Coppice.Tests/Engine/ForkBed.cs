using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A world with a domain that is forked, and its fork.</summary>
public abstract class ForkBed : IDisposable
{
    private protected const string Original = World.Name, Copy = "copy";

    private protected readonly World _world = new();

    private protected (DomainFolder Folder, Catalog Catalog) Fork => _world.Fork(Copy);

    public void Dispose()
    {
        _world.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected async Task SnapshotAsync(string name)
    {
        if (!_world.Exists)
        {
            _world.AddImage("/images/web-c.qcow2");
            await _world.DefineAsync();
            await _world.StartAsync();
        }

        await _world.SnapshotAsync(name);
    }

    private protected void Tick(int times)
    {
        for (var i = 0; i < times; i++)
        {
            _world.Host.Tick();
        }

        Assert.Equal(0, _world.Host.State.Bad);
    }

    private protected FakeProcess ProcessOf(Catalog catalog) => _world.Host.State.Processes[catalog.Head.Process!.Value];

    private protected long CounterOf(Catalog catalog) => ProcessOf(catalog).Counter;

    private protected static DomainDefinition DefinitionOf(DomainFolder folder, Catalog catalog) =>
        DefinitionStore.Read(folder, catalog, catalog.Head.Definition);

    private protected NetworkDevice[] CardsOf(string name) =>
        [.. DefinitionOf(_world.Fork(name).Folder, _world.Fork(name).Catalog).Devices.OfType<NetworkDevice>()];
}
