using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Plans that concern the references themselves: deleting, renaming, describing, choosing the current one.</summary>
internal static class SnapshotRecords
{
    public static Plan Delete(PlanContext context, DeleteSnapshot request)
    {
        var snapshot = context.Find(request.Snapshot);
        var children = context.Catalog.Snapshots.Values.Where(s => s.Parent == snapshot.Id).OrderBy(s => s.CreatedAt).ToArray();

        // What builds on an internal snapshot alone builds on nothing of its: only layers have to be merged.
        if (children.Length > 0 && !request.MetadataOnly && snapshot.Layers.Any(l => l.Inside is null))
        {
            context.Observed.Capabilities.Require(
                Capability.MergeLayers,
                $"snapshot '{snapshot.Name}' of {context.Subject}, on which '{children[0].Name}' builds",
                "delete what builds on it first, or forget it but keep its files with --metadata");
        }

        if (request.MetadataOnly)
        {
            return Forget(context, snapshot, children);
        }

        var change = Dropped(context, snapshot, children, keeps: false);
        var reclaimed = Reclaiming.After(context.Observed, context.Hypervisor, context.Storage, change);
        var stays = reclaimed.Change.PutLayers.Where(l => l.Origin is LayerOrigin.Coppice).Select(l => l.Inside is { } place
            ? $"internal snapshot {place.Tag} stays in {l.Path}, on which others build; a later command removes it"
            : $"layer {l.Path} stays: what came after '{snapshot.Name}' builds on it");
        return context.Plan("drop the reference") with
        {
            Commit = reclaimed.Change, CleanUp = reclaimed.Removals, Warnings = [.. stays],
        };
    }

    /// <summary>
    /// Forgets a snapshot and removes nothing. What others build on stays known, as a layer without a name, and goes once nothing
    /// needs it.
    /// </summary>
    private static Plan Forget(PlanContext context, Snapshot snapshot, Snapshot[] children)
    {
        var change = Dropped(context, snapshot, children, keeps: true);
        var unreached = new LayerGraph(change.ApplyTo(context.Catalog, context.Catalog.Last)).Unreached().Select(l => l.Id).ToHashSet();

        // What an earlier deletion could not remove yet is still to be removed.
        var commit = change with
        {
            PutLayers = [.. change.PutLayers.Where(l => !unreached.Contains(l.Id))],
            DropLayers = [.. unreached.Except(context.Graph.Unreached().Select(l => l.Id))],
        };
        var folder = context.Observed.Folder;
        var forgotten = Reclaiming.MadeFor(folder, context.Catalog)
            .Except(Reclaiming.MadeFor(folder, commit.ApplyTo(context.Catalog, context.Catalog.Last)), StringComparer.Ordinal);
        return context.Plan("forget the reference") with
        {
            Commit = commit,
            Warnings =
            [
                .. forgotten.Concat(Tags(snapshot)).Select(thing => $"{thing} is kept and no longer known"),
                .. commit.PutLayers.Where(l => l.Origin is LayerOrigin.Coppice)
                    .Select(l => $"{l.Path} is kept as long as something builds on it"),
            ],
        };
    }

    public static Plan Edit(PlanContext context, EditSnapshot request)
    {
        var snapshot = context.Find(request.Snapshot);
        var name = request.Name is null ? snapshot.Name : Names.Check("snapshot", request.Name);
        SnapshotNaming.RequireFree(name, context.Catalog, except: snapshot.Id);
        var description = SnapshotNaming.CheckDescription(request.Description ?? snapshot.Description, context.Catalog);
        return context.Plan("change the reference") with
        {
            Commit = context.NoChange with { Put = [snapshot with { Name = name, Description = description }] },
        };
    }

    public static Plan SetCurrent(PlanContext context, SetCurrentSnapshot request) =>
        context.Plan("change the reference") with
        {
            Commit = context.NoChange with { Current = context.Find(request.Snapshot).Id },
        };

    private static IEnumerable<string> Tags(Snapshot snapshot) =>
        snapshot.Layers.Where(l => l.Inside is not null).Select(l => $"internal snapshot {l.Inside!.Tag} in {l.Path}");

    /// <summary>
    /// Children and tips move to the parent; the layers the snapshot froze are listed by the catalog itself. What it has inside
    /// images is listed only to be removed.
    /// </summary>
    private static CatalogChange Dropped(PlanContext context, Snapshot snapshot, Snapshot[] children, bool keeps)
    {
        var tips = context.Catalog.Tips.Where(t => t.Current == snapshot.Id).ToImmutableArray();
        return context.NoChange with
        {
            Current = context.Catalog.Current == snapshot.Id ? snapshot.Parent : context.Catalog.Current,
            Drop = [snapshot.Id],
            Put = [.. children.Select(c => c with { Parent = snapshot.Parent })],
            ReplaceTips = [.. tips.Select(t => t with { Current = snapshot.Parent })],
            PutLayers = keeps ? [.. snapshot.Layers.Where(l => l.Inside is null)] : snapshot.Layers,
        };
    }
}
