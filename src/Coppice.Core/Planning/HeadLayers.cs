using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// The layers of the head that a revert leads to: new ones on all that is frozen, so that nothing frozen is written.
/// </summary>
internal static class HeadLayers
{
    /// <summary>The layers that a snapshot leads to, before new ones are put on them.</summary>
    public static ImmutableArray<HeadDisk> Of(PlanContext context, Snapshot snapshot, DomainDefinition definition) =>
        [.. snapshot.Disks.Select(d => new HeadDisk(d.Target, d.IsKept ? d.Layer : NotKept(context, snapshot, definition, d)))];

    /// <summary>New layers on all that must not be written.</summary>
    public static ImmutableArray<NewLayer> Made(
        PlanContext context, ImmutableArray<HeadDisk> disks, DomainDefinition definition, string name) =>
    [
        .. from disk in disks
           where !RevertChecks.IsReadOnly(definition, disk.Target) && RevertChecks.IsFrozen(context, disk.Layer)
           select On(context, disk.Target, name, context.Graph[disk.Layer]),
    ];

    /// <summary>
    /// Makes new layers. A file layer is built upon; an internal snapshot is copied out of its image, which others may build on and which
    /// somebody may still need as it is.
    /// </summary>
    public static IEnumerable<Step> Steps(PlanContext context, ImmutableArray<NewLayer> layers) =>
        from made in layers
        let parent = made.Layer.Parent is { } id ? context.Graph[id] : null
        select made.From.Inside is null
            ? context.Storage.CreateOverlay(made.Layer, made.From)
            : context.Storage.CopyInternal(made.Layer, made.From, parent, CopyRoom.Require(context, made.Layer, made.From));

    private static NewLayer On(PlanContext context, string target, string name, Layer frozen)
    {
        RevertChecks.RequireNotShrunk(context, frozen);
        var id = context.Observed.Ids.NextShort();
        return new NewLayer(frozen.Overlay(id, target, OverlayPath(context, frozen, name, id)), frozen);
    }

    /// <summary>
    /// A disk that took no part is as it is now; a disc is the one that was in the drive. A disk that the domain has given away
    /// is not taken back unasked: somebody may have written to it.
    /// </summary>
    private static ShortId NotKept(PlanContext context, Snapshot snapshot, DomainDefinition definition, DiskSnapshot disk)
    {
        var now = context.Head.Disks.FirstOrDefault(d => d.Target == disk.Target);
        return now is not null && definition.HasSameDisk(context.Observed.Definition, disk.Target) ? now.Layer
            : RevertChecks.IsReadOnly(definition, disk.Target) && context.Graph.Has(disk.Layer) ? disk.Layer
            : throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{disk.Target}' of snapshot '{snapshot.Name}' of {context.Subject}",
                "took no part in the snapshot, and is no disk of the domain now",
                "define the domain with that disk again, or revert first to a snapshot that keeps it");
    }

    /// <summary>The disks of a head, on their new layers where they have one.</summary>
    public static ImmutableArray<HeadDisk> On(ImmutableArray<HeadDisk> disks, ImmutableArray<NewLayer> made) =>
    [
        .. from disk in disks
           let found = made.FirstOrDefault(m => m.Layer.Disk == disk.Target)
           select found is null ? disk : disk with { Layer = found.Layer.Id },
    ];

    /// <summary>
    /// Beside the head's layer of that disk; beside the frozen one, if the head has another disk there, or none.
    /// </summary>
    private static string OverlayPath(PlanContext context, Layer frozen, string name, ShortId id)
    {
        var head = context.Head.Disks.FirstOrDefault(d => d.Target == frozen.Disk);
        var isSame = head is not null && context.Graph.Chain(head.Layer)[^1].Id == context.Graph.Chain(frozen.Id)[^1].Id;
        var folder = context.Observed.Layers.GetValueOrDefault(isSame ? head!.Layer : frozen.Id)?.OverlayFolder
            ?? context.Observed.Folder.Images(frozen.Disk);
        return $"{folder}/{LayerFileName.For(frozen.Disk, name, id)}";
    }
}
