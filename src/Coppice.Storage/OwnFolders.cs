using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>What lies in the folders in which nobody but Coppice puts files for a domain.</summary>
internal static class OwnFolders
{
    /// <summary>The paths of all that lies there. A link is listed as what it is, and not followed.</summary>
    public static IEnumerable<string> List(DomainFolder folder, ImmutableArray<Layer> layers)
    {
        var beside = layers.Where(l => l is { Type: StorageType.File }).Select(l => Beside(folder, l)).OfType<string>()
            .Distinct(StringComparer.Ordinal);
        return beside.Prepend($"{folder.Path}/images").SelectMany(OfDisks)
            .Concat(Entries(folder.MemoryFolder)).Concat(Entries(folder.VolumeFolder)).Concat(Entries(folder.TpmFolder)).Select(e => e.FullName);
    }

    /// <summary>What files are; those that are not there, or links that lead nowhere, are left out.</summary>
    public static ImmutableDictionary<string, FileObservation> Look(IEnumerable<string> paths) => (
        from path in paths.Distinct(StringComparer.Ordinal)
        let found = FileSystem.Look(path)
        where found is not null
        let type = found.Kind is FileKind.BlockDevice ? StorageType.Block : StorageType.File
        select KeyValuePair.Create(path, new FileObservation(found.Identity, new ByteCount(found.AllocatedBytes), type)
        {
            // That of a device is its node's, and says nothing about its content.
            ModifiedAt = type is StorageType.File ? found.ModifiedAt : default,
            Links = found.Links,
            Length = new ByteCount(found.Length),
        }))
        .ToImmutableDictionary();

    /// <summary>
    /// The folder beside images in which a layer lies, or in which what builds on an image of somebody else goes; null if there
    /// is none.
    /// </summary>
    private static string? Beside(DomainFolder folder, Layer layer)
    {
        var place = $"/{folder.BesideImages}/";
        var at = layer.Path.IndexOf(place, StringComparison.Ordinal);
        return at >= 0 ? layer.Path[..(at + place.Length - 1)]
            : layer.Origin is LayerOrigin.Coppice ? null
            : $"{Path.GetDirectoryName(layer.Path)}/{folder.BesideImages}";
    }

    /// <summary>One folder a disk, and files in it.</summary>
    private static IEnumerable<FileSystemInfo> OfDisks(string folder) => Entries(folder)
        .SelectMany(entry => entry is DirectoryInfo { LinkTarget: null } ? Entries(entry.FullName) : [entry]);

    private static FileSystemInfo[] Entries(string folder)
    {
        var place = new DirectoryInfo(folder);
        return place is { Exists: true, LinkTarget: null } ? place.GetFileSystemInfos() : [];
    }
}
