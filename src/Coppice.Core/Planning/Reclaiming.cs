using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Finds what nothing reaches any more: layers, memory images and definitions. The catalog forgets them, and the files go,
/// after the commit. Files that the user brought stay.
/// </summary>
public static class Reclaiming
{
    /// <summary>A change that also forgets the layers that nothing reaches after it, and the steps that remove files.</summary>
    /// <param name="Change">The change to commit.</param>
    /// <param name="Removals">Clean-up steps, one a file.</param>
    public sealed record Result(CatalogChange Change, ImmutableArray<Step> Removals);

    /// <summary>Completes a change.</summary>
    public static Result After(Observed observed, IStorage storage, CatalogChange change)
    {
        ArgumentNullException.ThrowIfNull(observed);
        ArgumentNullException.ThrowIfNull(change);
        var catalog = observed.Catalog;
        var gone = new LayerGraph(change.ApplyTo(catalog, catalog.Last)).Unreached().Select(l => l.Id).ToHashSet();
        var complete = change with
        {
            PutLayers = [.. change.PutLayers.Where(l => !gone.Contains(l.Id))],
            DropLayers = [.. change.DropLayers, .. gone],
        };
        var next = complete.ApplyTo(catalog, catalog.Last);
        return new Result(complete, Removals(observed.Folder, catalog, next, observed.Files, storage));
    }

    /// <summary>Steps that remove the files that Coppice made for a catalog and that the next one does not name.</summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="catalog">The catalog.</param>
    /// <param name="next">What it becomes; null if the domain is forgotten, and all goes.</param>
    /// <param name="files">What is known of the files.</param>
    /// <param name="storage">Makes the steps.</param>
    public static ImmutableArray<Step> Removals(
        DomainFolder folder, Catalog catalog, Catalog? next, ImmutableDictionary<string, FileObservation> files, IStorage storage)
    {
        var kept = next is null ? [] : Named(folder, next).Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
        var left = MadeFor(folder, catalog).Where(path => !kept.Contains(path));
        return [.. left.Select(path => storage.Remove(path, files.TryGetValue(path, out var file) ? file.Allocated : default))];
    }

    /// <summary>The files that Coppice made for a catalog, by path.</summary>
    public static ImmutableArray<string> MadeFor(DomainFolder folder, Catalog catalog) =>
    [
        .. Named(folder, catalog).Where(f => f.Origin is LayerOrigin.Coppice).Select(f => f.Path)
            .Distinct().Order(StringComparer.Ordinal),
    ];

    private static IEnumerable<(string Path, LayerOrigin Origin)> Named(DomainFolder folder, Catalog catalog)
    {
        var snapshots = catalog.Snapshots.Values.ToArray();
        var layers = catalog.Layers.Concat(snapshots.SelectMany(s => s.Layers)).Select(l => (l.Path, l.Origin));
        var memories = snapshots.Select(s => s.Memory).Concat(catalog.Tips.Select(t => t.Memory))
            .Where(m => m.File is not null).Select(m => (m.File!, m.Origin));
        var definitions = catalog.Definitions.Select(id => (folder.Definition(id), LayerOrigin.Coppice));
        return layers.Concat(memories).Concat(definitions);
    }
}
