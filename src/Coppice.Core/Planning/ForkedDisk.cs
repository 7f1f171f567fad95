using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A disk of a fork.</summary>
/// <param name="Kept">What the fork's own snapshot has of it.</param>
/// <param name="Frozen">The layers that it begins on, top first; those of an internal snapshot on top of a copy of it.</param>
/// <param name="Overlay">The layer that takes its writes; null if it is only read.</param>
/// <param name="Steps">Makes them, in order.</param>
internal sealed record ForkedDisk(DiskSnapshot Kept, ImmutableArray<Layer> Frozen, Layer? Overlay, ImmutableArray<Step> Steps)
{
    /// <summary>The disk in the fork's head.</summary>
    public HeadDisk Head => new(Kept.Target, (Overlay ?? Frozen[0]).Id);

    /// <summary>Plans what a fork has of a disk of a snapshot.</summary>
    /// <exception cref="CoppiceException">
    /// The snapshot does not keep it, and somebody writes to it or its image is no longer known
    /// (<see cref="ErrorKind.WrongState"/>); or its chain would be too long.
    /// </exception>
    public static ForkedDisk Of(PlanContext context, Snapshot snapshot, DiskSnapshot disk)
    {
        var definition = context.Observed.Definitions[snapshot.Definition];
        var isRead = RevertChecks.IsReadOnly(definition, disk.Target);
        if (!disk.IsKept && !(isRead && context.Graph.Has(disk.Layer)))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{disk.Target}' of snapshot '{snapshot.Name}' of {context.Subject}",
                isRead
                    ? "took no part in the snapshot, and its image is no longer known"
                    : "took no part in the snapshot, and a fork cannot share what its guest writes",
                "fork a snapshot that keeps the disk");
        }

        return Of(context, snapshot, disk, context.Observed.Fork!.Layers, isRead);
    }

    /// <summary>The same of a disk that can be shared.</summary>
    /// <param name="context">The domain that has the snapshot.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="places">Where the other domain goes on from each layer.</param>
    /// <param name="isRead">Nobody is going to write to it.</param>
    public static ForkedDisk Of(
        PlanContext context, Snapshot snapshot, DiskSnapshot disk, ImmutableDictionary<ShortId, SharedPlace> places, bool isRead)
    {
        var layer = context.Graph[disk.Layer];
        var below = SharedLayers.Of(layer.Inside is null ? context.Graph.Chain(layer.Id) : Below(context, layer), places);
        var copy = layer.Inside is null ? null : Made(context, snapshot, layer, places[layer.Id].Folder, below.FirstOrDefault()?.Ours);
        ImmutableArray<Layer> frozen = [.. copy is null ? Array.Empty<Layer>() : [copy], .. below.Select(s => s.Ours)];
        var overlay = isRead ? null : Made(context, snapshot, frozen[0], places[layer.Id].Folder, frozen[0]);
        RequireDepth(context, disk, frozen.Length + 1);
        RevertChecks.RequireNotShrunk(context, layer);
        return new ForkedDisk(
            disk.IsKept ? disk with { Mode = DiskMode.External, Layer = frozen[0].Id } : disk,
            frozen,
            overlay,
            [
                .. below.Where(s => s.IsLinked).Reverse().Select(s => context.Storage.Link(s.Theirs.Path, s.Ours.Path)),
                .. copy is null
                    ? Array.Empty<Step>()
                    : [context.Storage.CopyInternal(copy, layer, below.FirstOrDefault()?.Ours, CopyRoom.Require(context, copy, layer))],
                .. overlay is null ? Array.Empty<Step>() : [context.Storage.CreateOverlay(overlay, frozen[0])],
            ]);
    }

    private static ImmutableArray<Layer> Below(PlanContext context, Layer layer) =>
        layer.Parent is { } parent ? context.Graph.Chain(parent) : [];

    private static Layer Made(PlanContext context, Snapshot snapshot, Layer like, string folder, Layer? parent)
    {
        var id = context.Observed.Ids.NextShort();
        var path = $"{folder}/{LayerFileName.For(like.Disk, snapshot.Name, id)}";
        return like.Overlay(id, like.Disk, path) with { Parent = parent?.Id };
    }

    private static void RequireDepth(PlanContext context, DiskSnapshot disk, int depth)
    {
        if (depth > LayerGraph.MaximumDepth)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{disk.Target}' of {context.Subject}",
                $"the chain of its fork would have {depth} layers, more than {LayerGraph.MaximumDepth}",
                "delete snapshots that are no longer needed");
        }
    }
}
