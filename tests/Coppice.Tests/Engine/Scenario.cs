using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>An operation and what leads to it.</summary>
/// <param name="Request">The operation that crashes.</param>
/// <param name="Prepare">What is done before, on a domain that is defined.</param>
/// <param name="Discards">What the guest wrote last goes with the operation.</param>
internal sealed record Scenario(Request Request, Func<World, Task>? Prepare, bool Discards = false)
{
    private const string Name = World.Name;

    public static IReadOnlyDictionary<string, Scenario> All { get; } = new Dictionary<string, Scenario>(StringComparer.Ordinal)
    {
        ["define"] = new(new DefineDomain(World.Definition()), null),
        ["redefine"] = new(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }), Off),
        ["start"] = new(new StartDomain(Name, Paused: false), Off),
        ["start paused"] = new(new StartDomain(Name, Paused: true), Off),
        ["pause"] = new(new PauseDomain(Name), Running),
        ["resume"] = new(new ResumeDomain(Name), Paused),
        ["kill"] = new(new KillDomain(Name), Running),
        ["stop"] = new(new StopDomain(Name, TimeSpan.FromSeconds(5)), Running),
        ["create running"] = new(new CreateSnapshot(Name) { Name = "new" }, Running),
        ["create paused"] = new(new CreateSnapshot(Name) { Name = "new" }, Paused),
        ["create disk-only"] = new(new CreateSnapshot(Name) { Name = "new", DiskOnly = true }, Running),
        ["create halt"] = new(new CreateSnapshot(Name) { Name = "new", Halt = true }, Running),
        ["create off"] = new(new CreateSnapshot(Name) { Name = "new", Disks = [.. External("vda", "vdb")] }, Off),
        ["revert"] = new(Revert("one"), WithSnapshots),
        ["revert discarding"] = new(Revert("one") with { DiscardCurrent = true }, WithSnapshots, Discards: true),
        ["revert paused"] = new(Revert("one") with { State = RevertState.Paused }, WithSnapshots),
        ["revert to off"] = new(Revert("off"), WithSnapshots),
        ["revert off"] = new(Revert("one"), async w => { await WithSnapshots(w); await w.RunAsync(new KillDomain(Name)); }),
        ["undo"] = new(new UndoRevert(Name), async w => { await WithSnapshots(w); await w.RunAsync(Revert("one")); }),
        ["delete"] = new(new DeleteSnapshot(Name, "two", MetadataOnly: false), WithSnapshots),
        ["edit"] = new(new EditSnapshot(Name, "one", "uno", "first"), WithSnapshots),
        ["current"] = new(new SetCurrentSnapshot(Name, "one"), WithSnapshots),
        ["undefine"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w => { await WithSnapshots(w); await w.RunAsync(Revert("one")); await w.RunAsync(new KillDomain(Name)); },
            Discards: true),
    };

    public static TheoryData<string> Names => [.. All.Keys];

    /// <summary>Does what leads to the operation.</summary>
    public async Task SetUpAsync(World world)
    {
        if (Prepare is not null)
        {
            await world.DefineAsync();
            await Prepare(world);
        }
    }

    public static IEnumerable<DiskRequest> External(params string[] targets) => targets.Select(t => new DiskRequest(t, DiskMode.External));

    public static RevertSnapshot Revert(string snapshot) => new(Name, snapshot, RevertState.AsTaken, DiscardCurrent: false, Force: false);

    private static Task Off(World world) => Task.CompletedTask;

    private static Task Running(World world) => world.StartAsync();

    private static async Task Paused(World world)
    {
        await world.StartAsync();
        await world.RunAsync(new PauseDomain(Name));
    }

    private static async Task WithSnapshots(World world)
    {
        await world.RunAsync(new CreateSnapshot(Name) { Name = "off", Disks = [.. External("vda", "vdb")] });
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
        await world.SnapshotAsync("two");
        world.Host.Tick();
    }
}
