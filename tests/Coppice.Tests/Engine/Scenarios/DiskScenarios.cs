using Coppice.Core;
using static Coppice.Tests.Engine.Before;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>Disks that grow, come and go.</summary>
internal static class DiskScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["resize running"] = new(new ResizeDisk(Name, "vda", new ByteCount(4 << 20)), WithSnapshots),
        ["resize off"] = new(new ResizeDisk(Name, "vda", new ByteCount(4 << 20)), Off),
        ["resize, clean"] = new(new ResizeDisk(Name, "vda", new ByteCount(4 << 20)), Clean),
        ["attach running"] = new(Attach(), WithSnapshots),
        ["attach off"] = new(Attach(), OffWithSnapshot),
        ["attach, clean"] = new(Attach(), Clean),
        ["detach running"] = new(Detach("vdc"), async w => { await WithSnapshots(w); await w.RunAsync(Attach()); w.Host.Tick(); }),
        ["detach running, discarding"] = new(
            Detach("vdc") with { Discard = true },
            async w =>
            {
                await WithSnapshots(w);
                await w.RunAsync(Attach());
                await w.SnapshotAsync("three");
                w.Host.Tick();
            },
            Discards: true),
        ["detach off"] = new(Detach("vdc"), OffWithDisks),
        ["revert to fewer disks"] = new(Revert("fewer"), OffWithDisks),
        ["revert to fewer disks, discarding"] = new(Revert("fewer") with { DiscardCurrent = true }, OffWithDisks, Discards: true),
        ["revert to more disks"] = new(Revert("more"), async w => { await OffWithDisks(w); await w.RunAsync(Revert("fewer")); }),
        ["undo to more disks"] = new(
            new UndoRevert(Name),
            async w =>
            {
                await OffWithSnapshot(w);
                await w.RunAsync(new DefineDomain(World.More()));
                await w.RunAsync(Revert("fewer"));
            }),
    };
}
