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

    /// <summary>
    /// The same for a layer of another domain, which its own folder must not take: beside the image if that is on another file
    /// system, where both domains then have their folders.
    /// </summary>
    public static SharedPlace FindShared(DomainFolder folder, Layer layer)
    {
        var own = folder.Images(layer.Disk);
        var theirs = Path.GetDirectoryName(layer.Path)!;
        if (layer.Type is StorageType.Block || FileSystem.AreSame(own, theirs))
        {
            return new SharedPlace(own, layer is { Origin: LayerOrigin.Coppice, Inside: null } && TakesLink(layer.Path, own));
        }

        var image = Path.GetDirectoryName(theirs) is { } ofDomain && IsBesideImage(ofDomain) ? Path.GetDirectoryName(ofDomain)! : theirs;
        var beside = $"{image}/{folder.BesideImages}/{layer.Disk}";
        return new SharedPlace(beside, layer is { Origin: LayerOrigin.Coppice, Inside: null } && TakesLink(layer.Path, beside));
    }

    /// <summary>Whether a regular file can have a second name in a folder. A symbolic link is not what it leads to.</summary>
    public static bool TakesLink(string file, string folder) =>
        FileSystem.Look(file) is { Kind: FileKind.Regular } && new FileInfo(file).LinkTarget is null && FileSystem.AreSame(file, folder);

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
