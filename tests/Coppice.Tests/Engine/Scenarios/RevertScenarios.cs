using Coppice.Core;
using static Coppice.Tests.Engine.Before;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>A domain returns to a snapshot or a tip, and what it leaves becomes a tip, a snapshot or nothing.</summary>
internal static class RevertScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["revert"] = new(Revert("one"), WithSnapshots),
        ["revert mapped"] = new(Revert("one"), Mapped(WithSnapshots)),
        ["revert mapped to off"] = new(Revert("off"), Mapped(WithSnapshots)),
        ["revert discarding"] = new(Revert("one") with { DiscardCurrent = true }, WithSnapshots, Discards: true),
        ["revert, setting the clock"] = new(Revert("one") with { SyncTime = true }, WithAgent),
        ["revert paused"] = new(Revert("one") with { State = RevertState.Paused }, WithSnapshots),
        ["revert to off"] = new(Revert("off"), WithSnapshots),
        ["revert off"] = new(Revert("one"), async w => { await WithSnapshots(w); await w.RunAsync(new KillDomain(Name)); }),
        ["revert, clean"] = new(Revert("off"), Clean),
        ["revert saved"] = new(Revert("one"), Saved),
        ["revert, UEFI"] = new(Revert("one"), async w => { await Uefi(w); await w.SnapshotAsync("one"); w.Host.Tick(); }),
        ["revert, TPM"] = new(Revert("one"), TpmWithSnapshot),
        ["revert off, TPM"] = new(Revert("one"), async w => { await TpmWithSnapshot(w); await w.RunAsync(new KillDomain(Name)); }),
        ["revert, tap device"] = new(Revert("one"), OnNetworks),
        ["revert, block device"] = new(Revert("one"), async w => { await Device(w); await w.SnapshotAsync("one"); w.Host.Tick(); }),
        ["revert to inside"] = new(Revert("inside"), WithInternals),
        ["revert to inside, discarding"] = new(Revert("inside") with { DiscardCurrent = true }, WithInternals, Discards: true),
        ["revert to memory in a disk that moved"] = new(Revert("moved"), WithInternals),
        ["revert with a checkpoint"] = new(Checkpointed("one"), WithSnapshots),
        ["revert with a checkpoint, clean"] = new(Checkpointed("one"), Clean),
        ["revert with a checkpoint without memory"] = new(
            Checkpointed("one", new MemoryRequest(MemoryMode.None)), WithSnapshots),
        ["revert with a checkpoint, off"] = new(
            Checkpointed("one"), async w => { await WithSnapshots(w); await w.RunAsync(new KillDomain(Name)); }),
        ["revert with a checkpoint, saved"] = new(Checkpointed("one"), Saved),
        ["revert with a checkpoint, TPM, UEFI"] = new(Checkpointed("one"), async w =>
        {
            await w.RunAsync(new DefineDomain(World.Uefi() with { Devices = World.Tpm().Devices }));
            await w.StartAsync();
            await w.SnapshotAsync("one");
            w.Host.Tick();
        }),
        ["revert to the latest"] = new(Revert("one") with { Latest = true }, async w =>
        {
            await WithSnapshots(w);
            await w.RunAsync(Revert("one"));
            await w.RunAsync(Revert("two"));
        }),
        ["revert, letting tips expire"] = new(Revert("one"), async w =>
        {
            await WithSnapshots(w);
            await w.RunAsync(Revert("one"));
            w.Host.Tick();
            await w.RunAsync(new KeepTips(Name, new TipRetention(1, null)));
        }),
        ["revert, discarding descendants"] = new(Revert("one") with { DiscardDescendants = true }, WithTips, Discards: true),
        ["map"] = new(new MapSnapshot(Name, "one"), async w => { await WithSnapshots(w); w.AddVolume(); }),
        ["map, TPM"] = new(new MapSnapshot(Name, "one"), async w => { await TpmWithSnapshot(w); w.AddVolume(); }),
        ["warm"] = new(new WarmSnapshot(Name, "one", 2), Mapped(WithSnapshots)),
        ["warm, TPM"] = new(new WarmSnapshot(Name, "one", 1), TpmWithSnapshot),
        ["warm fewer"] = new(new WarmSnapshot(Name, "one", 1), Warm("one", 2)),
        ["revert, warm"] = new(Revert("one"), Warm("one", 1)),
        ["revert, warm, TPM"] = new(Revert("one"), async w => { await TpmWithSnapshot(w); await w.RunAsync(new WarmSnapshot(Name, "one", 1)); }),
        ["revert discarding, warm"] = new(Revert("one") with { DiscardCurrent = true }, Warm("one", 2), Discards: true),
        ["revert with a checkpoint, warm"] = new(Checkpointed("one"), Warm("one", 2)),
        ["undo"] = new(new UndoRevert(Name), async w => { await WithSnapshots(w); await w.RunAsync(Revert("one")); }),
        ["undo, setting the clock"] = new(
            new UndoRevert(Name) { SyncTime = true }, async w => { await WithAgent(w); await w.RunAsync(Revert("one")); }),
        ["undo, TPM"] = new(new UndoRevert(Name), async w => { await TpmWithSnapshot(w); await w.RunAsync(Revert("one")); }),
        ["undo, tap device"] = new(new UndoRevert(Name), async w => { await OnNetworks(w); await w.RunAsync(Revert("one")); }),
        ["undo to saved"] = new(new UndoRevert(Name), async w => { await Saved(w); await w.RunAsync(Revert("one")); }),
        ["undo a revert to inside"] = new(new UndoRevert(Name), async w => { await WithInternals(w); await w.RunAsync(Revert("inside")); }),
        ["tips revert"] = new(new UndoRevert(Name), WithTips) { Asks = w => new RevertToTip(Name, w.Catalog.Tips[0].Id.Value, Force: false) },
        ["tips drop"] = new(new DropTips(Name) { AllBut = new TipRetention(1, null) }, WithTips),
        ["tips drop, off"] = new(
            new DropTips(Name) { AllBut = new TipRetention(0, null) }, async w => { await WithTips(w); await w.RunAsync(new KillDomain(Name)); }),
        ["tips keep"] = new(new KeepTips(Name, new TipRetention(3, TimeSpan.FromDays(1))), WithTips),
    };
}
