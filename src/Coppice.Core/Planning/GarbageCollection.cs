using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans what is done when nobody else does it: merges that wait or have become possible, internal snapshots that could not be
/// removed, and definitions that nothing names.
/// </summary>
internal static class GarbageCollection
{
    public static Plan Plan(PlanContext context, CollectGarbage request)
    {
        var catalog = context.Observed.CatalogLent;
        var unnamed = context.UnnamedIn(catalog).Where(u => !catalog.Jobs.Any(u.IsOf)).ToImmutableArray();
        var merges = NewMerges.Of(context, catalog, unnamed, request.Direction, overlays: null);
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, merges.With(context.NoChange));
        var strays = context.Observed.StrayDefinitions.Select(path => context.Storage.Remove(path, default)).ToImmutableArray();
        var changes = !merges.Jobs.IsEmpty || !reclaimed.Change.DropLayers.IsEmpty || !context.Observed.StaleLoans.IsEmpty;
        var plan = context.Plan($"look for what is left{merges.Told}") with
        {
            Commit = changes ? reclaimed.Change : null,
            CleanUp = [.. reclaimed.Removals, .. strays],
            Warnings = merges.Warnings,
        };

        // What is removed from inside an image must not be merged meanwhile.
        return reclaimed.Removals.IsEmpty
            ? Merging.Begin(context, plan)
            : Merging.Around(context.Observed, context.Hypervisor, plan);
    }
}
