using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Finds what a change leaves without a reference: those objects go, after the commit.</summary>
internal static class Reclaiming
{
    /// <summary>The change that also forgets what nothing reaches any more, and the steps that remove its files.</summary>
    /// <param name="Change">The change to commit.</param>
    /// <param name="Removals">Clean-up steps.</param>
    public sealed record Result(CatalogChange Change, ImmutableArray<Step> Removals);

    /// <summary>Completes a change. What the user brought stays, in the catalog and on disk.</summary>
    public static Result After(PlanContext context, CatalogChange change)
    {
        var next = change.ApplyTo(context.Catalog, context.Catalog.Last);
        var layers = new LayerGraph(next).Unreached().Where(l => l.Origin is LayerOrigin.Coppice).ToImmutableArray();
        var gone = layers.Select(l => l.Id).ToHashSet();
        var kept = MemoryFiles(next).Select(m => m.File).ToHashSet(StringComparer.Ordinal);
        var memories = MemoryFiles(context.Catalog).Where(m => m.Origin is LayerOrigin.Coppice && !kept.Contains(m.File));
        return new Result(
            change with
            {
                PutLayers = [.. change.PutLayers.Where(l => !gone.Contains(l.Id))],
                DropLayers = [.. change.DropLayers, .. gone],
            },
            [
                .. layers.Select(l => context.Storage.Remove(l.Path, default)),
                .. memories.Select(m => context.Storage.Remove(m.File!, default)),
            ]);
    }

    private static IEnumerable<MemoryImage> MemoryFiles(Catalog catalog) =>
        catalog.Snapshots.Values.Select(s => s.Memory).Concat(catalog.Tips.Select(t => t.Memory)).Where(m => m.File is not null);
}
