namespace Coppice.Core;

/// <summary>What a catalog becomes when a disk is no longer mirrored.</summary>
public static class MirroredCatalog
{
    /// <summary>
    /// The change when the guest has gone over. What it has left is reached by nobody, unless a snapshot or tip has it. A new image is
    /// the user's from now on, as is the one that a domain is defined with.
    /// </summary>
    public static CatalogChange Pivoted(Catalog catalog, DiskMirror mirror)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(mirror);
        var graph = LayerGraph.Of(catalog);
        var (source, target) = (graph[mirror.Source], graph[mirror.Target]);
        var becomes = target with
        {
            VirtualSize = source.VirtualSize,
            Origin = mirror.Kind is MirrorKind.Commit ? target.Origin : LayerOrigin.User,
        };
        var left = Left(graph, mirror).ToHashSet();
        return new CatalogChange
        {
            Head = catalog.Head with
            {
                Disks = [.. catalog.Head.Disks.Select(d => d.Target == mirror.Disk ? d with { Layer = target.Id } : d)],
                SameAs = null,
            },
            Current = catalog.Current,
            PutLayers = becomes == target ? [] : [becomes],
            DropMirrors = [new EndedMirror(mirror.Id, MirrorEnd.Pivot)],
            DropJobs = mirror.Kind is MirrorKind.Commit
                ? [.. catalog.Jobs.Where(j => left.Contains(j.Upper) || left.Contains(j.Lower)).Select(j => j.Id)]
                : [],
        };
    }

    /// <summary>The change when the copy is kept: nothing names it any more, and its file stays.</summary>
    public static CatalogChange Kept(Catalog catalog, DiskMirror mirror)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(mirror);
        return new CatalogChange
        {
            Head = catalog.Head, Current = catalog.Current, DropMirrors = [new EndedMirror(mirror.Id, MirrorEnd.Keep)], DropLayers = [mirror.Target],
        };
    }

    /// <summary>The layers that the guest leaves when it goes over.</summary>
    public static IEnumerable<ShortId> Left(LayerGraph graph, DiskMirror mirror)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(mirror);
        return mirror.Kind is MirrorKind.Commit
            ? graph.Chain(mirror.Source).Select(l => l.Id).TakeWhile(id => id != mirror.Target)
            : [mirror.Source];
    }
}
