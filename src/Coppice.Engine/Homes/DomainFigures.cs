using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>A domain in figures.</summary>
/// <param name="View">The domain.</param>
/// <param name="Guest">What its guest has used; null if it is off.</param>
/// <param name="Images">The images that its disks use now, in the definition's order; a drive without a medium has none.</param>
public sealed record DomainFigures(DomainView View, GuestFigures? Guest, ImmutableArray<ImageFigures> Images)
{
    /// <summary>The memory that the guest has at present, or begins with if it is off.</summary>
    public ByteCount CurrentMemory => Guest?.Balloon ?? View.Definition.CurrentMemory ?? View.Definition.Memory;
}

/// <summary>How large the image is that a disk uses now. What it builds on is not counted.</summary>
/// <param name="Target">The disk.</param>
/// <param name="Path">The image.</param>
/// <param name="Capacity">How large the disk is that a guest sees.</param>
/// <param name="Allocation">What the image takes on disk; all of it, if it is a block device.</param>
/// <param name="Physical">How long the file is, holes included, or how large the block device.</param>
public sealed record ImageFigures(string Target, string Path, ByteCount Capacity, ByteCount Allocation, ByteCount Physical)
{
    /// <summary>Looks at the images of a domain; one that is missing is left out.</summary>
    internal static async Task<ImmutableArray<ImageFigures>> ObserveAsync(DomainView view, IStorage storage, CancellationToken cancellation)
    {
        var written = view.Catalog.Written.ToDictionary(l => l.Id);
        var layers = view.Catalog.Head.Disks.Where(d => written.ContainsKey(d.Layer)).ToDictionary(d => d.Target, d => written[d.Layer]);
        Layer[] used =
        [
            .. from disk in view.Definition.Disks
               where disk.Source is not null
               select layers.GetValueOrDefault(disk.Target) ?? Medium(disk),
        ];
        var files = await storage.ObserveFilesAsync(used.Select(l => l.Path), cancellation).ConfigureAwait(false);
        var figures = await Task.WhenAll(used.Where(l => files.ContainsKey(l.Path)).Select(async layer =>
        {
            var observed = await storage.ObserveAsync(view.Folder, layer, cancellation).ConfigureAwait(false);
            return Of(layer, files[layer.Path], observed.VirtualSize);
        })).ConfigureAwait(false);
        return [.. figures];
    }

    private static ImageFigures Of(Layer layer, FileObservation file, ByteCount size)
    {
        var capacity = size.Bytes > 0 ? size : layer.VirtualSize;
        return file.Type is StorageType.Block
            ? new ImageFigures(layer.Disk, layer.Path, capacity, capacity, capacity)
            : new ImageFigures(layer.Disk, layer.Path, capacity, file.Allocated, file.Length);
    }

    /// <summary>What is in a drive that has no layers.</summary>
    private static Layer Medium(DiskDevice disk) => new()
    {
        Id = new ShortId(""),
        Disk = disk.Target,
        Path = disk.Source!,
        Type = disk.Type,
        Format = disk.Format,
        VirtualSize = default,
        Origin = LayerOrigin.User,
    };
}
