using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What a catalog becomes when a merge is finished. Ids stay bound to files: after a commit every reference to the upper layer is
/// one to the lower layer, which stands where the upper one stood; after a stream the upper layer builds on what the lower one
/// built on. What any reference shows stays the same.
/// </summary>
public static class MergedCatalog
{
    /// <summary>The change. After a stream the lower layer is still listed, reached by nothing.</summary>
    /// <exception cref="CoppiceException">The catalog has no such pair of layers (<see cref="ErrorKind.Internal"/>).</exception>
    public static CatalogChange After(Catalog catalog, MergeJob job)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(job);
        var graph = LayerGraph.Of(catalog);
        if (!graph.Has(job.Lower) || !graph.Has(job.Upper) || graph[job.Upper].Parent != job.Lower)
        {
            throw new CoppiceException(ErrorKind.Internal, $"merge {job.Id}", "is of layers that do not build on each other");
        }

        return job.Direction is MergeDirection.Commit ? Committed(catalog, graph, job) : Streamed(catalog, graph, job);
    }

    /// <summary>The change when the file of a layer has its new name, and what builds on it names that.</summary>
    public static CatalogChange After(Catalog catalog, LayerRename rename)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(rename);
        var path = rename.PathOf(LayerGraph.Of(catalog)[rename.Layer]);
        return Replaced(
            catalog, l => l.Id == rename.Layer || l.Inside?.Holder == rename.Layer ? l with { Path = path } : l, id => id) with
        {
            Refrozen = Reaching(catalog, rename.Layer),
            DropRenames = [rename.Layer],
        };
    }

    /// <summary>
    /// The snapshots whose images a merge writes: they count as frozen from now on, as they are now, since what they show is the
    /// same.
    /// </summary>
    public static ImmutableArray<SnapshotId> Rewritten(Catalog catalog, MergeJob job)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(job);
        return Reaching(catalog, job.Lower, job.Upper);
    }

    private static ImmutableArray<SnapshotId> Reaching(Catalog catalog, params ShortId[] layers)
    {
        var graph = LayerGraph.Of(catalog);
        return
        [
            .. catalog.Snapshots.Values
                .Where(s => s.Layers.Select(l => l.Id).Concat(s.Disks.Where(d => d.IsKept).Select(d => d.Layer))
                    .Any(id => graph.Chain(id).Any(below => layers.Contains(below.Id))))
                .OrderBy(s => s.Id.Value).Select(s => s.Id),
        ];
    }

    private static CatalogChange Committed(Catalog catalog, LayerGraph graph, MergeJob job)
    {
        var (lower, upper) = (graph[job.Lower], graph[job.Upper]);
        var merged = lower with { VirtualSize = upper.VirtualSize, Disk = upper.Disk };
        return Change(catalog, job, layer =>
            layer.Id == upper.Id ? merged
            : layer.Id == lower.Id || layer.Inside?.Holder == upper.Id ? null
            : layer.Parent == upper.Id ? layer with { Parent = lower.Id }
            : layer);
    }

    private static CatalogChange Streamed(Catalog catalog, LayerGraph graph, MergeJob job)
    {
        var below = graph[job.Lower].Parent;
        return Change(catalog, job, layer => layer.Parent == job.Lower ? layer with { Parent = below } : layer);
    }

    private static CatalogChange Change(Catalog catalog, MergeJob job, Func<Layer, Layer?> replaced) =>
        Replaced(catalog, replaced, id => Kept(id, job)) with
        {
            Refrozen = Rewritten(catalog, job),
            PutJobs = [.. catalog.Jobs.Where(j => j.Id != job.Id).Select(j => Moved(j, job)).Where(j => !catalog.Jobs.Contains(j))],
            DropJobs = [job.Id],
            PutRenames = Renames(catalog, job),
            DropRenames = [job.Gone],
        };

    /// <summary>
    /// What was to be called something is called that with whatever it has become, unless that is the user's, or was to be called
    /// something else.
    /// </summary>
    private static ImmutableArray<LayerRename> Renames(Catalog catalog, MergeJob job)
    {
        var name = job.FinalName ?? NameOf(job.Kept) ?? NameOf(job.Gone);
        return name is null || LayerGraph.Of(catalog)[job.Kept].Origin is not LayerOrigin.Coppice
            ? []
            : [new LayerRename(job.Kept, name)];

        string? NameOf(ShortId layer) => catalog.Renames.FirstOrDefault(r => r.Layer == layer)?.Name;
    }

    /// <summary>A change of layers, and of what refers to them.</summary>
    private static CatalogChange Replaced(Catalog catalog, Func<Layer, Layer?> replaced, Func<ShortId, ShortId> named)
    {
        var snapshots = catalog.Snapshots.Values.Select(s => (Old: s, New: s with
        {
            Disks = [.. s.Disks.Select(d => d with { Layer = named(d.Layer) })],
            Layers = [.. s.Layers.Select(replaced).OfType<Layer>()],
        })).ToArray();
        var tips = catalog.Tips.Select(t => (Old: t, New: t with { Head = Named(t.Head) })).ToArray();
        var layers = catalog.Layers.Select(l => (Old: l, New: replaced(l))).Where(l => l.Old != l.New).ToArray();
        return new CatalogChange
        {
            Head = Named(catalog.Head),
            Current = catalog.Current,
            Put = [.. snapshots.Where(s => !Same(s.Old, s.New)).Select(s => s.New).OrderBy(s => s.Id.Value)],
            ReplaceTips = [.. tips.Where(t => !t.Old.Head.Disks.SequenceEqual(t.New.Head.Disks)).Select(t => t.New)],
            PutLayers = [.. layers.Select(l => l.New).OfType<Layer>()],
            DropLayers = [.. layers.Where(l => l.New?.Id != l.Old.Id).Select(l => l.Old.Id)],
        };

        Head Named(Head head) => head with { Disks = [.. head.Disks.Select(d => d with { Layer = named(d.Layer) })] };
    }

    /// <summary>A job about the layer that goes is about the one that stays from now on.</summary>
    private static MergeJob Moved(MergeJob other, MergeJob job) => other with
    {
        Lower = other.Lower == job.Gone ? job.Kept : other.Lower,
        Upper = other.Upper == job.Gone ? job.Kept : other.Upper,
    };

    private static bool Same(Snapshot one, Snapshot other) =>
        one.Disks.SequenceEqual(other.Disks) && one.Layers.SequenceEqual(other.Layers);

    /// <summary>What a reference names afterwards.</summary>
    private static ShortId Kept(ShortId layer, MergeJob job) =>
        job.Direction is MergeDirection.Commit && layer == job.Upper ? job.Lower : layer;
}
