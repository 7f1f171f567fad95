using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Finds what nothing reaches any more: layers, memory images, definitions, what TPMs kept. The catalog forgets them, and the
/// files go, after the commit. Files that the user brought stay. An internal snapshot is not removed from an image on which
/// others build, or that a fork shares: it stays as a layer without a name, and a later operation that removes things tries
/// again. Nothing is removed from an image that another domain has lent.
/// </summary>
public static class Reclaiming
{
    /// <summary>A change that also forgets the layers that nothing reaches after it, and the steps that remove files.</summary>
    /// <param name="Change">The change to commit.</param>
    /// <param name="Removals">Clean-up steps, one a file or internal snapshot.</param>
    public sealed record Result(CatalogChange Change, ImmutableArray<Step> Removals);

    /// <summary>Completes a change.</summary>
    public static Result After(Observed observed, IHypervisor hypervisor, IStorage storage, CatalogChange change)
    {
        ArgumentNullException.ThrowIfNull(observed);
        ArgumentNullException.ThrowIfNull(change);
        var catalog = observed.Catalog;
        change = change with { DropLoans = observed.StaleLoans };
        var graph = LayerGraph.Of(change.ApplyTo(catalog, catalog.Last));
        var process = observed.LiveAfter(change.Head);
        HashSet<ShortId> written = process is null ? [] : [.. change.Head.Disks.Select(d => d.Layer)];
        var unreached = graph.Unreached();
        var reached = graph.All.Except(unreached).ToDictionary(l => l.Id);
        var built = reached.Values.Where(l => l.Inside is null).Select(l => l.Parent).OfType<ShortId>().ToHashSet();
        built.UnionWith(graph.Lent());
        Layer[] gone = [.. unreached.Where(l => l.Inside is not { } place || !StaysInside(place))];
        var ids = gone.Select(l => l.Id).ToHashSet();
        var complete = change with
        {
            PutLayers = [.. change.PutLayers.Where(l => !ids.Contains(l.Id))],
            DropLayers = [.. change.DropLayers, .. ids],
        };
        var next = complete.ApplyTo(catalog, catalog.Last);
        var removed = Removals(observed.Folder, catalog, next, observed.Files, storage);

        // Should the process end before it has removed one, nobody uses the image any more.
        var inside = gone.Where(l =>
            l.Inside is not null && !IsInBorrowed(l, graph) && !IsLinked(l.Path, observed.Files) && !IsRemoved(l.Path, removed));
        var internals = inside.SelectMany(IEnumerable<Step> (l) =>
            written.Contains(l.Inside!.Holder)
                ? new[] { hypervisor.RemoveInternal(process!.Value, l), storage.RemoveInternal(l) }
                : new[] { storage.RemoveInternal(l) });
        return new Result(complete, [.. internals, .. removed, .. Tpms(observed.Folder, catalog, next, hypervisor)]);

        // Where the image itself is let go of, so is what is inside, whoever has the image under another name.
        bool StaysInside(InternalPlace place) => reached.TryGetValue(place.Holder, out var holder)
            && (built.Contains(place.Holder) || IsLinked(holder.Path, observed.Files));
    }

    /// <summary>Steps that remove all that Coppice made for a catalog, from the images of the user too.</summary>
    public static ImmutableArray<Step> All(
        DomainFolder folder, Catalog catalog, ImmutableDictionary<string, FileObservation> files, IHypervisor hypervisor,
        IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(storage);
        ArgumentNullException.ThrowIfNull(catalog);
        var removed = Removals(folder, catalog, next: null, files, storage);
        var graph = LayerGraph.Of(catalog);
        var internals = graph.All.Where(l => l.Inside is not null && !IsInBorrowed(l, graph) && !IsRemoved(l.Path, removed))
            .Except(StayingInside(catalog, files));
        return
        [
            .. internals.OrderBy(l => l.Path, StringComparer.Ordinal).Select(storage.RemoveInternal),
            .. removed,
            .. Tpms(folder, catalog, null, hypervisor),
        ];
    }

    /// <summary>
    /// The internal snapshots that stay in images when a domain is forgotten: nobody writes to an image that another domain uses,
    /// or that has another name, also where the domain's own name of it goes.
    /// </summary>
    public static IEnumerable<Layer> StayingInside(Catalog catalog, ImmutableDictionary<string, FileObservation> files)
    {
        var graph = LayerGraph.Of(catalog);
        var lent = graph.Lent();
        return graph.All.Where(l => l.Inside is { Holder: var holder }
            && (lent.Contains(holder) || (graph[holder].Origin is not LayerOrigin.Borrowed && IsLinked(l.Path, files))));
    }

    /// <summary>The files that Coppice made for a catalog, by path.</summary>
    public static ImmutableArray<string> MadeFor(DomainFolder folder, Catalog catalog) =>
    [
        .. Named(folder, catalog).Where(f => f.Origin is LayerOrigin.Coppice).Select(f => f.Path)
            .Distinct().Order(StringComparer.Ordinal),
    ];

    /// <summary>Steps that remove the files that Coppice made for a catalog and that the next one does not name.</summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="catalog">The catalog.</param>
    /// <param name="next">What it becomes; null if the domain is forgotten, and all goes.</param>
    /// <param name="files">What is known of the files.</param>
    /// <param name="storage">Makes the steps.</param>
    private static ImmutableArray<Step> Removals(
        DomainFolder folder, Catalog catalog, Catalog? next, ImmutableDictionary<string, FileObservation> files, IStorage storage)
    {
        var kept = next is null ? [] : Named(folder, next).Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        var left = MadeFor(folder, catalog).Where(path => !kept.Contains(path));
        return [.. left.Select(path => storage.Remove(path, files.TryGetValue(path, out var file) ? file.Allocated : default))];
    }

    private static IEnumerable<Step> Tpms(DomainFolder folder, Catalog catalog, Catalog? next, IHypervisor hypervisor) =>
        catalog.Tpms.Except(next?.Tpms ?? []).Select(id => hypervisor.RemoveTpm(folder, id));

    private static bool IsLinked(string path, ImmutableDictionary<string, FileObservation> files) =>
        files.TryGetValue(path, out var file) && file.Links > 1;

    private static bool IsInBorrowed(Layer layer, LayerGraph graph) =>
        layer.Inside is { } place && graph[place.Holder].Origin is LayerOrigin.Borrowed;

    private static bool IsRemoved(string path, ImmutableArray<Step> removals) =>
        removals.SelectMany(s => s.Files).Any(f => f.Path == path);

    private static IEnumerable<(string Path, LayerOrigin Origin)> Named(DomainFolder folder, Catalog catalog)
    {
        var layers = catalog.Layers.Concat(catalog.Snapshots.Values.SelectMany(s => s.Layers)).Concat(catalog.Spares.SelectMany(s => s.Layers))
            .Where(l => l.Inside is null).Select(l => (l.Path, l.Origin));
        var memories = catalog.Memories.Where(m => m.File is not null).Select(m => (m.File!, m.Origin));
        var definitions = catalog.Definitions.Select(id => (folder.Definition(id), LayerOrigin.Coppice));
        return layers.Concat(memories).Concat(definitions);
    }
}
