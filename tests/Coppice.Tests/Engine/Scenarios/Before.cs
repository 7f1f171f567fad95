using Coppice.Core;
using Coppice.Engine;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>What leads to the operation of a <see cref="Scenario"/>, on a domain that is defined and off.</summary>
internal static class Before
{
    private const string Name = World.Name;

    public static async Task WithInternals(World world)
    {
        await world.StartAsync();
        await world.RunAsync(Inside("inside", "vda"));
        world.Host.Tick();
        await world.RunAsync(new CreateSnapshot(Name) { Name = "moved", Memory = new MemoryRequest(MemoryMode.Internal) });
        world.Host.Tick();
        await world.RunAsync(Inside("last", "vda"));
        world.Host.Tick();
    }

    public static async Task Saved(World world)
    {
        await WithSnapshots(world);
        await world.RunAsync(new SaveDomain(Name));
    }

    /// <summary>In a home with a memory volume.</summary>
    public static Func<World, Task> Mapped(Func<World, Task> before) => world =>
    {
        world.AddVolume();
        return before(world);
    };

    /// <summary>Processes wait for a revert.</summary>
    public static Func<World, Task> Warm(string snapshot, int count) => async world =>
    {
        await Mapped(WithSnapshots)(world);
        await world.RunAsync(new WarmSnapshot(Name, snapshot, count));
    };

    public static Task Off(World world) => Task.CompletedTask;

    public static Task<OperationResult> OffWithSnapshot(World world) =>
        world.RunAsync(new CreateSnapshot(Name) { Name = "fewer", Disks = [.. External("vda", "vdb")] });

    public static async Task OffWithDisks(World world)
    {
        await OffWithSnapshot(world);
        await world.RunAsync(new DefineDomain(World.More()));
        await world.RunAsync(new CreateSnapshot(Name) { Name = "more", Disks = [.. External("vda", "vdb", "vdc")] });
    }

    public static Task Running(World world) => world.StartAsync();

    public static async Task Uefi(World world)
    {
        await world.RunAsync(new DefineDomain(World.Uefi()));
        await world.StartAsync();
    }

    public static async Task Tpm(World world)
    {
        await world.RunAsync(new DefineDomain(World.Tpm()));
        await world.StartAsync();
    }

    public static async Task TpmWithSnapshot(World world)
    {
        await Tpm(world);
        await world.SnapshotAsync("one");
        world.Host.Tick();
    }

    public static async Task Device(World world)
    {
        await world.RunAsync(new DefineDomain(World.Device()));
        await world.StartAsync();
    }

    public static async Task OnNetworks(World world)
    {
        await world.RunAsync(new DefineDomain(World.OnNetworks()));
        await WithSnapshots(world);
    }

    public static async Task Paused(World world)
    {
        await world.StartAsync();
        await world.RunAsync(new PauseDomain(Name));
    }

    public static async Task WithTips(World world)
    {
        await WithSnapshots(world);
        foreach (var name in new[] { "one", "two", "one" })
        {
            await world.RunAsync(Revert(name));
            world.Host.Tick();
        }
    }

    /// <summary>Paused, and all of it in a snapshot.</summary>
    public static async Task Clean(World world)
    {
        await WithSnapshots(world);
        await world.RunAsync(new PauseDomain(Name));
        await world.SnapshotAsync("clean");
    }

    public static async Task WithAgent(World world)
    {
        await world.RunAsync(new DefineDomain(World.Agent()));
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
    }

    public static async Task WithSnapshots(World world)
    {
        await world.RunAsync(new CreateSnapshot(Name) { Name = "off", Disks = [.. External("vda", "vdb")] });
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
        await world.SnapshotAsync("two");
        world.Host.Tick();
    }
}
