using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What makes snapshots, or changes what is said of them.</summary>
internal static class SnapshotDeeds
{
    public static IReadOnlyList<Deed> All { get; } =
    [
        new("create", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Disks = External(d) }) { Weight = 4 },
        new("create mixed", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.External)] }),
        new("create of one disk", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Disks = OneOf(d) }) { PartsDisks = true },
        new("create disk-only", d => new CreateSnapshot(d.Domain) { Name = d.NewName, DiskOnly = true, Disks = External(d) }),
        new("create inside", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Disks = [new("vda", DiskMode.Internal)] }),
        new("create halt", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Halt = true }) { NeedsMachine = true },
        new("create live", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Live = true }) { NeedsMachine = true, When = s => s.IsAlive },
        new("create quiesced", d => new CreateSnapshot(d.Domain) { Name = d.NewName, DiskOnly = true, Quiesce = true })
        {
            NeedsMachine = true, When = s => s.IsAlive,
        },
        new("create with memory inside", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Memory = new MemoryRequest(MemoryMode.Internal) })
        {
            NeedsMachine = true, When = s => s.IsAlive,
        },
        new("create a branch", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Branch = new BranchRequest(d.Snapshot, IsCurrent: false) })
        {
            Weight = 2, Holds = Source, When = s => s.HasSnapshots,
        },
        new("create a branch, current", d => new CreateSnapshot(d.Domain) { Name = d.NewName, Branch = new BranchRequest(d.Snapshot, IsCurrent: true) })
        {
            Weight = 2, Holds = Source, Head = FromSource, ChangesDisks = true, When = s => s.HasSnapshots,
        },
        new("create a branch, with a checkpoint", d => new CreateSnapshot(d.Domain)
        {
            Name = d.NewName, Branch = new BranchRequest(d.Snapshot, IsCurrent: true) { Checkpoint = d.NewName },
        })
        {
            Holds = Source, Head = FromSource, ChangesDisks = true, When = s => s.HasSnapshots,
        },
        new("create a branch, discarding", d => new CreateSnapshot(d.Domain)
        {
            Name = d.NewName, Branch = new BranchRequest(d.Snapshot, IsCurrent: true) { LeftMemory = new MemoryRequest(MemoryMode.None) },
        })
        {
            Holds = Source, Head = FromSource, ChangesDisks = true, Discards = true, When = s => s.HasSnapshots,
        },
        new("map", d => new MapSnapshot(d.Domain, d.Snapshot)) { Weight = 2, NeedsMachine = true, When = s => s.HasSnapshots },
        new("edit", d => new EditSnapshot(d.Domain, d.Snapshot, d.NewName, d.Chance(2) ? "said" : null)) { When = s => s.HasSnapshots },
        new("current", d => new SetCurrentSnapshot(d.Domain, d.Snapshot)) { When = s => s.HasSnapshots },
        new("redefine a snapshot", d => new RedefineSnapshot(d.Domain, new SnapshotDocument { Name = d.Snapshot }, d.Chance(2)))
        {
            Reads = ChangedAsync, When = s => s.HasSnapshots,
        },
        new("put a snapshot back", d => new RedefineSnapshot(d.Domain, new SnapshotDocument { Name = d.NewName }, IsCurrent: false))
        {
            Weight = 3, Reads = KeptAsync, Holds = Kept, When = s => s.Orchard.Documents?.Any(k => k.Domain == s.Catalog.Domain) == true,
        },
        new("adopt", d => new AdoptSnapshots(d.Domain)) { Finds = true, PartsDisks = true },
    ];

    private static ImmutableArray<DiskRequest> External(Draw draw) => [.. draw.Scene.Catalog.Head.Disks
        .Where(d => draw.Scene.Sight.View.Definition.Disks.Any(o => o.Target == d.Target && o.IsWritten)).Select(d => new DiskRequest(d.Target, DiskMode.External))];

    /// <summary>A raw disk has no room inside.</summary>
    private static ImmutableArray<DiskRequest> OneOf(Draw draw) => draw.Chance(2)
        ? [new("vda", draw.Chance(2) ? DiskMode.Internal : DiskMode.External), new("vdb", DiskMode.None)]
        : [new("vda", DiskMode.None), new("vdb", DiskMode.External)];

    private static Contents Source(Scene scene, Request request) => scene.Sight[((CreateSnapshot)request).Branch!.From];

    private static Contents FromSource(Scene scene, Request request) =>
        RevertDeeds.On(scene.Sight, scene.Catalog.Find(((CreateSnapshot)request).Branch!.From));

    private static async Task<Request?> ChangedAsync(Draw draw)
    {
        var document = await draw.Scene.Orchard.Open().ReadSnapshotAsync(draw.Domain, draw.Snapshot);
        return new RedefineSnapshot(draw.Domain, document with { Description = draw.NewName }, draw.Chance(2));
    }

    private static Task<Request?> KeptAsync(Draw draw)
    {
        var kept = draw.One([.. draw.Scene.Orchard.Documents!.Where(k => k.Domain == draw.Scene.Catalog.Domain)]);
        return Task.FromResult<Request?>(new RedefineSnapshot(draw.Domain, kept.Document, IsCurrent: false));
    }

    private static Contents Kept(Scene scene, Request request) => scene.Orchard.Documents!
        .Single(k => k.Domain == scene.Catalog.Domain && k.Document == ((RedefineSnapshot)request).Document).Held;
}
