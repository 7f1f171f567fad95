using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans that delete snapshots. The references go first, with the commit; what then has no name is merged by jobs, or stays.
/// </summary>
internal static class SnapshotDeletion
{
    public static Plan Plan(PlanContext context, DeleteSnapshot request)
    {
        var deleted = DeletedSnapshots.Of(context.Catalog, request);
        if (deleted.Snapshots.IsEmpty)
        {
            return context.Plan("nothing to do");
        }

        return request.Mode switch
        {
            DeleteMode.MetadataOnly => Forget(context, deleted),
            DeleteMode.Merge => Merge(context, request, deleted),
            _ => Discard(context, deleted),
        };
    }

    private static Plan Discard(PlanContext context, DeletedSnapshots deleted)
    {
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, deleted.Change(keeps: false));
        return context.Plan("drop the references and what only they have") with
        {
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
            Warnings = [.. deleted.Tips > 0 ? [$"{deleted.Tips} tips go with them"] : Array.Empty<string>()],
        };
    }

    private static Plan Merge(PlanContext context, DeleteSnapshot request, DeletedSnapshots deleted)
    {
        RequireMerges(context, deleted);
        var change = deleted.Change(keeps: false);
        var next = change.ApplyTo(context.Observed.CatalogLent, context.Catalog.Last);
        var merges = NewMerges.Of(context, next, Unnamed(context, next), request.Direction, deleted.Snapshots[0].Name)
            .Named(next, request.FinalNames);
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, merges.With(change));
        return merges.With(context.Plan($"drop the reference{merges.Told}")) with
        {
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
            Warnings = [.. Deferred(reclaimed.Change), .. merges.Warnings],
        };
    }

    /// <summary>The layers that lose their name by a change, or of those that built on one all but one.</summary>
    private static ImmutableArray<UnnamedLayer> Unnamed(PlanContext context, Catalog next)
    {
        var before = context.UnnamedIn(context.Catalog).ToDictionary(u => u.Lower.Id);
        return
        [
            .. context.UnnamedIn(next).Where(u => !before.TryGetValue(u.Lower.Id, out var old) || old.Upper?.Id != u.Upper?.Id),
        ];
    }

    /// <summary>What builds on an internal snapshot alone builds on nothing of its: only layers have to be merged.</summary>
    private static void RequireMerges(PlanContext context, DeletedSnapshots deleted)
    {
        var ids = deleted.Snapshots.Select(s => s.Id).ToHashSet();
        var built =
            from child in context.Catalog.Snapshots.Values
            where child.Parent is { } parent && ids.Contains(parent) && !ids.Contains(child.Id)
            orderby child.CreatedAt
            let snapshot = context.Catalog.Snapshots[child.Parent!.Value]
            where snapshot.Layers.Any(l => l.Inside is null)
            select (Snapshot: snapshot, Child: child);
        if (built.FirstOrDefault() is { Snapshot: { } found, Child: var on })
        {
            context.Observed.Capabilities.Require(
                Capability.MergeLayers, $"snapshot '{found.Name}' of {context.Subject}, on which '{on.Name}' builds",
                "delete what builds on it first, or forget it but keep its files with --metadata");
        }
    }

    private static IEnumerable<string> Deferred(CatalogChange change) => change.PutLayers
        .Where(l => l is { Origin: LayerOrigin.Coppice, Inside: not null })
        .Select(l => $"internal snapshot {l.Inside!.Tag} stays in {l.Path}, on which others build; a later command removes it");

    /// <summary>
    /// Forgets snapshots and removes nothing. What others build on stays known, as layers without a name, and goes once nothing
    /// needs it.
    /// </summary>
    private static Plan Forget(PlanContext context, DeletedSnapshots deleted)
    {
        var change = deleted.Change(keeps: true);
        var unreached = LayerGraph.Of(change.ApplyTo(context.Catalog, context.Catalog.Last)).Unreached().Select(l => l.Id).ToHashSet();

        // What an earlier deletion could not remove yet is still to be removed, unless the image that it is in is forgotten.
        var stays = context.Graph.Unreached().Where(l => l.Inside is not { } place || !unreached.Contains(place.Holder)).Select(l => l.Id);
        var commit = change with
        {
            PutLayers = [.. change.PutLayers.Where(l => !unreached.Contains(l.Id))],
            DropLayers = [.. unreached.Except(stays)],
        };
        var folder = context.Observed.Folder;
        var next = commit.ApplyTo(context.Catalog, context.Catalog.Last);
        var forgotten = Reclaiming.MadeFor(folder, context.Catalog)
            .Except(Reclaiming.MadeFor(folder, next), StringComparer.Ordinal);
        return context.Plan("forget the reference") with
        {
            Commit = commit,
            Warnings =
            [
                .. forgotten.Concat(Tags(deleted, LayerGraph.Of(next))).Select(thing => $"{thing} is kept and no longer known"),
                .. commit.PutLayers.Where(l => l.Origin is LayerOrigin.Coppice)
                    .Select(l => $"{l.Path} is kept as long as something builds on it"),
            ],
        };
    }

    /// <summary>The internal snapshots that nothing knows any more; a branch may still have one.</summary>
    private static IEnumerable<string> Tags(DeletedSnapshots deleted, LayerGraph left) =>
        deleted.Snapshots.SelectMany(s => s.Layers).Where(l => l.Inside is not null && !left.Has(l.Id))
            .Select(l => $"internal snapshot {l.Inside!.Tag} in {l.Path}");
}
