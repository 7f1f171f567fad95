using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>Where the next layer of a disk goes when no file was named.</summary>
internal static class OverlayPlacement
{
    private const string Prefix = "coppice-";

    /// <summary>
    /// Into the domain's own folder if that is on the file system of the image, else into a folder beside the image: a
    /// layer fills up like the image below it, and hard links work on one file system only. Beside a block device there is no
    /// room for files.
    /// </summary>
    public static string FolderFor(DomainFolder folder, Layer layer)
    {
        var own = folder.Images(layer.Disk);
        var imageFolder = Path.GetDirectoryName(layer.Path)!;
        if (layer.Origin is LayerOrigin.Coppice)
        {
            return imageFolder;
        }

        return layer.Type is StorageType.Block || FileSystem.AreSame(own, imageFolder)
            ? own
            : $"{imageFolder}/{folder.BesideImages}/{layer.Disk}";
    }

    /// <summary>Removes the folders that were made beside an image for a layer, if it was the last one in them.</summary>
    public static void RemoveFolders(string layerPath)
    {
        var ofDisk = Path.GetDirectoryName(layerPath)!;
        if (Path.GetDirectoryName(ofDisk) is { } ofDomain && IsBesideImage(ofDomain) && DurableFolder.RemoveIfEmpty(ofDisk))
        {
            DurableFolder.RemoveIfEmpty(ofDomain);
        }
    }

    private static bool IsBesideImage(string folder) =>
        Path.GetFileName(folder) is var name
        && name.StartsWith(Prefix, StringComparison.Ordinal)
        && Guid.TryParseExact(name[Prefix.Length..], "D", out _);
}
