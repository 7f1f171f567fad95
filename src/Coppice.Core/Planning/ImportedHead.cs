using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Where an imported domain begins that was exported without a head: on a snapshot, as after a revert to it, off or saved.</summary>
/// <param name="Head">The head.</param>
/// <param name="Made">The layers that are made for it.</param>
/// <param name="Tpm">What its TPM keeps, as the snapshot has it and as its own copy; null if it has none.</param>
/// <param name="Steps">Makes the layers.</param>
internal sealed record ImportedHead(Head Head, ImmutableArray<Layer> Made, (ShortId From, ShortId To)? Tpm, ImmutableArray<Step> Steps)
{
    /// <exception cref="CoppiceException">The snapshot lacks a disk of its domain (<see cref="ErrorKind.WrongState"/>).</exception>
    public static ImportedHead On(Snapshot snapshot, LayerGraph graph, ObservedExport observed, IStorage storage)
    {
        var definition = observed.Definitions[snapshot.Definition];
        var made = ImmutableArray.CreateBuilder<Layer>();
        var steps = ImmutableArray.CreateBuilder<Step>();
        var disks = ImmutableArray.CreateBuilder<HeadDisk>();
        if (Lacking(snapshot, graph, definition) is { } lacking)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{lacking}' of snapshot '{snapshot.Name}'",
                "took no part in the snapshot, and what the domain was is not in the folder",
                "export the domain while it is off, or with a snapshot that keeps the disk");
        }

        foreach (var disk in definition.DisksAndFlash.Where(d => d.Source is not null))
        {
            var kept = snapshot.Disks.First(d => d.Target == disk.Target);
            if (!disk.IsWritten)
            {
                disks.Add(new HeadDisk(disk.Target, kept.Layer));
                continue;
            }

            var (layer, step) = Overlay(snapshot, graph, graph[kept.Layer], observed, storage);
            made.Add(layer);
            steps.Add(step);
            disks.Add(new HeadDisk(disk.Target, layer.Id));
        }

        (ShortId, ShortId)? tpm = snapshot.Tpm is { } state ? (state, observed.Ids.NextShort()) : null;
        var head = new Head
        {
            Definition = snapshot.Definition,
            Disks = disks.ToImmutable(),
            Tpm = tpm?.Item2,
            Saved = snapshot.Memory.Mode is MemoryMode.None
                ? null
                : new SavedMemory(snapshot.Memory, snapshot.State is DomainState.Paused ? DomainState.Paused : DomainState.Running),
        };
        return new ImportedHead(head, made.ToImmutable(), tpm, steps.ToImmutable());
    }

    /// <summary>The first disk for which there is nothing to begin on; null if a domain can begin on the snapshot.</summary>
    public static string? Lacking(Snapshot snapshot, LayerGraph graph, DomainDefinition definition) =>
        definition.DisksAndFlash.Where(d => d.Source is not null)
            .FirstOrDefault(disk => !snapshot.Disks.Any(
                d => d.Target == disk.Target && graph.Has(d.Layer) && (d.IsKept || !disk.IsWritten)))?.Target;

    /// <summary>What is inside an image is copied out of it (ADR 13).</summary>
    private static (Layer Layer, Step Step) Overlay(
        Snapshot snapshot, LayerGraph graph, Layer below, ObservedExport observed, IStorage storage)
    {
        var id = observed.Ids.NextShort();
        var layer = new Layer
        {
            Id = id,
            Disk = below.Disk,
            Path = $"{observed.Home.Images(below.Disk)}/{LayerFileName.For(below.Disk, snapshot.Name, id)}",
            Format = ImageFormat.Qcow2,
            VirtualSize = below.VirtualSize,
            Parent = below.Inside is null ? below.Id : below.Parent,
            Origin = LayerOrigin.Coppice,
        };
        return (layer, below.Inside is null
            ? storage.CreateOverlay(layer, below)
            : storage.CopyInternal(layer, below, below.Parent is { } parent ? graph[parent] : null, Estimate()));

        // At most what the image takes that holds it, as the file that is there tells, and nobody's word.
        ByteCount Estimate() =>
            observed.Files.TryGetValue(observed.Folder[ExportFolder.Image(below)], out var image)
                ? image.Allocated : default;
    }
}
