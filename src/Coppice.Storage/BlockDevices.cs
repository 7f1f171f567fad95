using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using ImageFormat = Coppice.Core.ImageFormat;

namespace Coppice.Storage;

/// <summary>
/// Raw images in block devices. They are the user's and stay as they are but for what the guest writes: nothing here makes, grows
/// or removes one. All layers on top of one are files.
/// </summary>
internal static class BlockDevices
{
    /// <summary>An image must be kept in what the definition says: no guest writes to a device by an oversight.</summary>
    /// <exception cref="CoppiceException">It is the other (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static void RequireType(DiskDevice disk, string path)
    {
        // What is neither is refused by whoever opens it, what is not there as well.
        var found = FileSystem.Look(path)?.Kind;
        var (problem, nextStep) = (disk.Type, found, disk.Kind) switch
        {
            (StorageType.File, FileKind.BlockDevice, DiskKind.Disk) => (
                "is a block device, and the definition says type='file'",
                $"write <disk type='block'> with <source dev='{path}'/>"),
            (StorageType.File, FileKind.BlockDevice, _) => (
                "is a block device, which can only be the image of a disk", "name a file"),
            (StorageType.Block, FileKind.Regular, _) => (
                "is a regular file, and the definition says type='block'",
                $"write <disk type='file'> with <source file='{path}'/>"),
            _ => (null, ""),
        };
        if (problem is not null)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, $"disk '{disk.Target}', image {path}", problem, nextStep);
        }
    }

    /// <summary>The layer of a device that a user brought, by the name that the user gave.</summary>
    /// <exception cref="CoppiceException">It is none, or the host uses it.</exception>
    public static Layer Discover(string target, string path)
    {
        var layer = new Layer
        {
            Id = UserLayerId.Of(target, path),
            Disk = target,
            Path = path,
            Type = StorageType.Block,
            Format = ImageFormat.Raw,
            VirtualSize = default,
            Origin = LayerOrigin.User,
        };
        var found = ImageErrors.Guard($"disk '{target}'", () => ImageChain.Check([ImageArguments.Of(layer).ToRecord()], new AllowedFolders()));
        return layer with { VirtualSize = new ByteCount(found[0].VirtualSizeBytes) };
    }

    /// <summary>
    /// What is to be known of one. Somebody may have made it larger since. When its content was written nothing tells: the times
    /// of its node are those of the node.
    /// </summary>
    public static LayerObservation Observe(DomainFolder folder, Layer layer)
    {
        var overlays = OverlayPlacement.FolderFor(folder, layer);
        return new LayerObservation
        {
            Layer = layer.Id,
            Exists = FileSystem.Look(layer.Path) is { Kind: FileKind.BlockDevice },
            VirtualSize = new ByteCount(SizeOf(layer.Path)),
            WrittenAt = null,
            OverlayFolder = overlays,
            Free = new ByteCount(DurableFolder.FreeBytes(overlays)),
            Capacity = new ByteCount(DurableFolder.CapacityBytes(overlays)),
            FreeForMemory = new ByteCount(DurableFolder.FreeBytes(folder.MemoryFolder)),
            CapacityForMemory = new ByteCount(DurableFolder.CapacityBytes(folder.MemoryFolder)),
        };
    }

    /// <summary>A device that layers build on must hold as much as it did: its end would be lost, in all of them.</summary>
    /// <exception cref="CoppiceException">It has become smaller (<see cref="ErrorKind.Damaged"/>).</exception>
    public static void RequireNotShrunk(IEnumerable<Layer> chain)
    {
        foreach (var device in chain.Skip(1).Where(l => l.Type is StorageType.Block))
        {
            var size = new ByteCount(SizeOf(device.Path));
            if (size.Bytes < device.VirtualSize.Bytes)
            {
                throw new CoppiceException(
                    ErrorKind.Damaged, $"disk '{device.Disk}', image {device.Path}",
                    $"has {size}, and had {device.VirtualSize} when layers were put on it",
                    "make it as large again, if its end has not been used by something else");
            }
        }
    }

    private static long SizeOf(string path)
    {
        try
        {
            return VirtualSize.OfDevice(path);
        }
        catch (ImageException)
        {
            // Whoever needs the device checks it, and says what is wrong with it.
            return 0;
        }
    }
}
