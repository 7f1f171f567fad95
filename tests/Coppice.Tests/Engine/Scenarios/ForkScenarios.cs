using Coppice.Core;
using static Coppice.Tests.Engine.Before;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>A domain begins on a snapshot of another, and both go on.</summary>
internal static class ForkScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["try a snapshot"] = new(new TrySnapshot(Name, "one", TimeSpan.Zero), WithSnapshots),
        ["fork"] = new(Fork("one"), WithSnapshots),
        ["fork mapped"] = new(Fork("one"), Mapped(WithSnapshots)),
        ["fork, disks only"] = new(Fork("off"), WithSnapshots),
        ["new card running"] = new(new RenewCard(Name, "net0", IsUp: true), OnNetworks),
        ["new card off"] = new(new RenewCard(Name, "net0", IsUp: true), async w => { await OnNetworks(w); await w.RunAsync(new KillDomain(Name)); }),
        ["fork, TPM"] = new(Fork("one"), TpmWithSnapshot),
        ["fork inside"] = new(Fork("inside"), WithInternals),
        ["fork a fork"] = new(new ForkSnapshot("copy", "one", "second"), Forked),
        ["fork what is on another file system"] = new(Fork("elsewhere"), Elsewhere),
        ["snapshot disk attached"] = new(new AttachSnapshotDisk(Name, "one", "vda", "copy"), async w =>
        {
            await Forked(w);
            await w.RunAsync(new StartDomain("copy", Paused: false));
            w.Host.Tick();
        }),
        ["start a fork, sharing memory"] = new(new StartDomain("copy", Paused: false) { SharesMemory = true }, Mapped(Forked)),
        ["start a fork"] = new(new StartDomain("copy", Paused: false), Forked),
        ["delete, forked"] = new(
            new DeleteSnapshot(Name, "two", metadataOnly: false), async w => { await WithSnapshots(w); await w.RunAsync(Fork("two")); }),
        ["delete in a fork"] = new(new DeleteSnapshot("copy", "one", metadataOnly: false), Forked),
        ["undefine, forked"] = new(
            new UndefineDomain(Name, Snapshots: true), async w => { await Forked(w); await w.RunAsync(new KillDomain(Name)); }, Discards: true),
        ["undefine a fork"] = new(new UndefineDomain("copy", Snapshots: true), Forked),
    };

    private static async Task Forked(World world)
    {
        await WithSnapshots(world);
        await world.RunAsync(Fork("one"));
    }
}
