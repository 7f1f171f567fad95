using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What lets snapshots go, and what tidies up after it.</summary>
internal static class DeleteDeeds
{
    public static IReadOnlyList<Deed> All { get; } =
    [
        Delete("delete", d => One(d), weight: 2),
        Delete("delete by commit", d => One(d) with { Direction = MergeDirection.Commit }),
        Delete("delete by stream", d => One(d) with { Direction = MergeDirection.Stream }),
        Delete("delete, discarding", d => One(d) with { Mode = DeleteMode.Discard }),
        Delete("delete, discarding by force", d => One(d) with { Mode = DeleteMode.DiscardForce }) with { DropsWhatBuildsOn = true },
        Delete("delete with children", d => One(d) with { Scope = d.Chance(2) ? DeleteScope.WithChildren : DeleteScope.ChildrenOnly }),
        Delete("delete all", d => new DeleteSnapshot(d.Domain, []) { Scope = DeleteScope.All }),
        Delete("delete, naming what stays", d => One(d) with { FinalNames = [new FinalName("vda", $"{d.NewName}.qcow2")] }),
        Delete("delete and wait", d => One(d) with { Wait = true }, weight: 2) with { Waits = true },
        Delete("forget", d => One(d) with { Mode = DeleteMode.MetadataOnly }) with { Forgets = true, Reads = ForgottenAsync },
        new("gc", d => new CollectGarbage(d.Domain)),
        new("gc and wait", d => new CollectGarbage(d.Domain) { Wait = true }) { Waits = true },
        new("job cancel", d => new CancelJobs(d.Domain, d.Chance(2) ? d.Job : null)) { When = s => s.HasJobs },
        new("job wait", d => new WaitForJobs(d.Domain, d.Chance(2) ? d.Job : null)) { Waits = true, When = s => s.HasJobs },
        new("job finish", d => new FinishJob(d.Domain, new ShortId(d.Job))) { When = s => s.HasJobs },
        new("name a merged layer", d => new RenameLayer(d.Domain, d.One([.. d.Scene.Catalog.Renames.Select(r => r.Layer), new ShortId("none")])))
        {
            When = s => !s.Catalog.Renames.IsEmpty,
        },
        new("repair", d => new RepairDomain(d.Domain, Orphans: false)),
        new("repair, orphans", d => new RepairDomain(d.Domain, Orphans: true)),
    ];

    /// <summary>What is below snapshots in the tree.</summary>
    public static HashSet<SnapshotId> Below(Catalog catalog, HashSet<SnapshotId> named)
    {
        var below = new HashSet<SnapshotId>();
        while (catalog.Snapshots.Values.FirstOrDefault(s => s.Parent is { } p && (named.Contains(p) || below.Contains(p)) && !below.Contains(s.Id)) is { } child)
        {
            below.Add(child.Id);
        }

        return below;
    }

    private static Deed Delete(string name, Func<Draw, DeleteSnapshot> ask, int weight = 1) =>
        new(name, ask) { Weight = weight, Drops = Deleted, When = s => s.HasSnapshots };

    private static DeleteSnapshot One(Draw draw) => new(draw.Domain, [draw.Snapshot]);

    private static IEnumerable<SnapshotId> Deleted(Catalog catalog, Request request)
    {
        var delete = (DeleteSnapshot)request;
        var named = delete.Snapshots.Select(catalog.Find).Select(s => s.Id).ToHashSet();
        return delete.Scope switch
        {
            DeleteScope.Snapshots => named,
            DeleteScope.WithChildren => named.Union(Below(catalog, named)),
            DeleteScope.ChildrenOnly => Below(catalog, named),
            _ => catalog.Snapshots.Keys,
        };
    }

    /// <summary>Its document is kept, and with it what it held.</summary>
    private static async Task<Request?> ForgottenAsync(Draw draw)
    {
        var (orchard, name) = (draw.Scene.Orchard, draw.Snapshot);
        var document = await orchard.Open().ReadSnapshotAsync(draw.Domain, name);
        orchard.Documents!.Add(new KeptDocument(draw.Scene.Catalog.Domain, document, draw.Scene.Sight[name]));
        return new DeleteSnapshot(draw.Domain, [name]) { Mode = DeleteMode.MetadataOnly };
    }
}
