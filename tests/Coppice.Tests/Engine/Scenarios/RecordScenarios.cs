using Coppice.Core;
using static Coppice.Tests.Engine.Before;

namespace Coppice.Tests.Engine;

/// <summary>What is on record of a domain changes, and no disk of it.</summary>
internal static class RecordScenarios
{
    private const string Name = World.Name;

    private static readonly RedefineSnapshot s_redefined = new(Name, new SnapshotDocument(), IsCurrent: true);

    public static Dictionary<string, Scenario> All => new(StringComparer.Ordinal)
    {
        ["redefine a snapshot"] = new(s_redefined, async w =>
        {
            await WithSnapshots(w);
            await w.DumpAsync("two", d => d with { Parent = "off", Description = "moved" });
        })
        { Asks = Redefined },
        ["redefine a snapshot under another name"] = new(s_redefined, async w =>
        {
            await WithSnapshots(w);
            await w.DumpAsync("two", d => d with { Name = "twin" });
        })
        { Asks = w => Redefined(w) with { CopyOf = w.Catalog.Find("two").Id } },
        ["redefine a forgotten snapshot"] = new(s_redefined, async w =>
        {
            await WithSnapshots(w);
            await w.DumpAsync("one", d => d);
            await w.ForgetAsync("one");
        })
        { Asks = Redefined },
        ["redefine a forgotten snapshot inside"] = new(s_redefined, async w =>
        {
            await WithInternals(w);
            await w.DumpAsync("inside", d => d);
            await w.ForgetAsync("inside");
        })
        { Asks = Redefined },
        ["redefine a forgotten snapshot with its definition"] = new(s_redefined, async w =>
        {
            var definition = DomainSeal.AssignAddresses(World.Definition());
            await w.RunAsync(new DefineDomain(definition));
            await w.SnapshotExternalAsync("one");
            await w.DumpAsync("one", d => d);
            await w.ForgetAsync("one");
            await w.RunAsync(new DefineDomain(definition with { VirtualCpus = 2 }));
        })
        { Asks = Redefined },
        ["adopt"] = new(new AdoptSnapshots(Name), async w => { await WithSnapshots(w); AdoptionTests.Make(w, "theirs", 1); }),
        ["edit"] = new(new EditSnapshot(Name, "one", "uno", "first"), WithSnapshots),
        ["current"] = new(new SetCurrentSnapshot(Name, "one"), WithSnapshots),
        ["repair"] = new(new RepairDomain(Name, Orphans: true), async w => { await WithSnapshots(w); w.LeaveOrphans(); }),
    };

    private static RedefineSnapshot Redefined(World world) => s_redefined with { Document = world.Dumped! };
}
