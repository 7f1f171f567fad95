using Coppice.Core;
using static Coppice.Tests.Engine.Before;
using static Coppice.Tests.Engine.Scenario;

namespace Coppice.Tests.Engine;

/// <summary>Snapshots go, and what they had is merged.</summary>
internal static class DeleteScenarios
{
    private const string Name = World.Name;

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["delete"] = new(new DeleteSnapshot(Name, "two", metadataOnly: false), WithSnapshots),
        ["delete, TPM"] = new(new DeleteSnapshot(Name, "one", metadataOnly: false), TpmWithSnapshot),
        ["delete inside"] = new(new DeleteSnapshot(Name, "inside", metadataOnly: false), async w =>
        {
            await w.StartAsync();
            await w.RunAsync(Inside("inside", "vda"));
            w.Host.Tick();
        }),
        ["delete inside, off"] = new(
            new DeleteSnapshot(Name, "last", metadataOnly: false), async w => { await WithInternals(w); await w.RunAsync(new KillDomain(Name)); }),
        ["delete inside what the guest builds on"] = new(new DeleteSnapshot(Name, "alone", metadataOnly: false), async w =>
        {
            await w.RunAsync(new CreateSnapshot(Name)
            {
                Name = "alone", Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.None)],
            });
            await w.StartAsync();
            await w.SnapshotAsync("on top");
            w.Host.Tick();
        }),
        ["delete a branch"] = new(new DeleteSnapshot(Name, "branch", metadataOnly: false), async w =>
        {
            await WithSnapshots(w);
            await w.RunAsync(new CreateSnapshot(Name) { Name = "branch", Branch = new BranchRequest("one", IsCurrent: false) });
        }),
        ["delete a middle node"] = new(new DeleteSnapshot(Name, "one", metadataOnly: false), WithSnapshots),
        ["delete a middle node, off"] = new(
            new DeleteSnapshot(Name, "one", metadataOnly: false) { Direction = MergeDirection.Commit }, OffWithTree),
        ["delete below the guest, by commit"] = new(
            new DeleteSnapshot(Name, "two", metadataOnly: false) { Direction = MergeDirection.Commit }, WithSnapshots),
        ["delete all"] = new(new DeleteSnapshot(Name, []) { Scope = DeleteScope.All }, WithSnapshots),
        ["discard by force"] = new(
            new DeleteSnapshot(Name, "one", metadataOnly: false) { Mode = DeleteMode.DiscardForce },
            async w => { await WithSnapshots(w); await w.RunAsync(Revert("off") with { DiscardCurrent = true }); }),
        ["finish a commit with three above"] = Finishing(async w => { await OffWithTree(w); await MergingAsync(w, MergeDirection.Commit, 9); }),
        ["finish a stream"] = Finishing(async w => { await WithSnapshots(w); await MergingAsync(w, MergeDirection.Stream, 9); }),
        ["finish a commit in the guest's process"] = Finishing(
            async w => { await WithSnapshots(w); await MergingAsync(w, MergeDirection.Commit, 9); }),
        ["finish a merge whose file gets a name"] = Finishing(async w => { await OffWithTree(w); await NamingAsync(w); }),
        ["name a merged layer with three above"] = new(new RenameLayer(Name, default), async w =>
        {
            await OffWithTree(w);
            await NamingAsync(w);
            await w.RunAsync(new FinishJob(World.Id, w.Catalog.Jobs[0].Id));
        }) { Asks = w => new RenameLayer(World.Id, w.Catalog.Renames[0].Layer) },
        ["job cancel"] = new(new CancelJobs(Name, null), async w => { await WithSnapshots(w); await MergingAsync(w, MergeDirection.Stream, 0); }),
        ["create while a merge runs"] = new(new CreateSnapshot(Name) { Name = "new", DiskOnly = true }, WithMerge),
        ["revert while a merge runs"] = new(Revert("two"), WithMerge),
        ["kill while a merge runs"] = new(new KillDomain(Name), WithMerge),
        ["start while a merge runs"] = new(
            new StartDomain(Name, Paused: false), async w => { await OffWithTree(w); await MergingAsync(w, MergeDirection.Commit, 0); }),
        ["undefine while a merge runs"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w => { await OffWithTree(w); await MergingAsync(w, MergeDirection.Stream, 0); }, Discards: true),
    };

    /// <summary>The merge of one disk is finished; that of the other goes on waiting.</summary>
    private static Scenario Finishing(Func<World, Task> prepare) =>
        new(new FinishJob(Name, default), prepare) { Asks = w => new FinishJob(World.Id, w.Catalog.Jobs[0].Id) };

    /// <summary>A domain that is off: "off", on it "one", on that "two" and "three" and the head.</summary>
    private static async Task OffWithTree(World world)
    {
        await WithSnapshots(world);
        await world.RunAsync(new KillDomain(Name));
        foreach (var name in new[] { "three", "four" })
        {
            await world.RunAsync(Revert("two") with { DiscardCurrent = true });
            await world.RunAsync(new KillDomain(Name));
            await world.SnapshotExternalAsync(name);
        }

        await world.RunAsync(Revert("two"));
        await world.RunAsync(new KillDomain(Name));
    }

    private static async Task WithMerge(World world)
    {
        await WithSnapshots(world);
        await MergingAsync(world, MergeDirection.Commit, 0);
    }

    /// <summary>The same by commit, and the file of each disk that stays is to have a name.</summary>
    private static async Task NamingAsync(World world)
    {
        await world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false)
        {
            Direction = MergeDirection.Commit, FinalNames = [new FinalName("vda", "merged-a.qcow2"), new FinalName("vdb", "merged-b.qcow2")],
        });
        for (var i = 0; i < 9; i++)
        {
            world.Host.Tick();
        }
    }

    /// <summary>Snapshot "one" is deleted, and what it had is being merged, or all but finished.</summary>
    private static async Task MergingAsync(World world, MergeDirection direction, int ticks)
    {
        await world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false) { Direction = direction });
        for (var i = 0; i < ticks; i++)
        {
            world.Host.Tick();
        }
    }
}
