namespace Coppice.Core;

/// <summary>
/// The names of layers, as files and inside them: unique for ever and never reused, so that a chain stays readable by any
/// tool.
/// </summary>
public static class LayerFileName
{
    private const int MaximumNameLength = 64;
    private const string RawSuffix = ".raw";

    /// <summary>
    /// <c>&lt;target&gt;.&lt;snapshot&gt;.&lt;id&gt;.qcow2</c>; whatever is unsafe in a file name becomes an underscore (R186).
    /// </summary>
    public static string For(string target, string snapshotName, ShortId id) =>
        $"{target}.{Safe(snapshotName)}.{id}.qcow2";

    /// <summary>
    /// The name of a layer that comes from elsewhere, whatever it was called there: as <see cref="For"/> gives it, but that a raw image
    /// ends with <c>.raw</c>, and raw variables of a firmware are called as those that Coppice makes.
    /// </summary>
    public static string Carried(string target, ShortId id, ImageFormat format) => (format, target) switch
    {
        (ImageFormat.Qcow2, _) => For(target, "carried", id),
        (_, DiskDevice.FlashTarget) => $"{target}.{id}.fd",
        _ => $"{target}.carried.{id}{RawSuffix}",
    };

    /// <summary>
    /// <c>&lt;snapshot&gt;.&lt;id&gt;</c>: what an image calls the internal snapshots of one snapshot, on all of its disks.
    /// </summary>
    public static string TagFor(string snapshotName, ShortId id) => $"{Safe(snapshotName)}.{id}";

    /// <summary>
    /// What an image calls the one it builds on: relative inside one folder, so that the chain stays readable when the folder
    /// moves; absolute otherwise.
    /// </summary>
    public static string BackingName(string overlay, string backing) =>
        Path.GetDirectoryName(overlay) != Path.GetDirectoryName(backing) ? backing
        : Path.GetFileName(backing) is var name && name.Contains(':', StringComparison.Ordinal) ? backing // else read as a protocol
        : name;

    /// <summary>Whether an internal snapshot has a name that <see cref="TagFor"/> could have given it.</summary>
    public static bool IsTag(string tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        var dot = tag.LastIndexOf('.');
        return dot > 0 && tag[(dot + 1)..] is { Length: >= 8 and <= 32 } id && id.All(char.IsAsciiHexDigitLower)
            && Safe(tag[..dot]) == tag[..dot];
    }

    /// <summary>
    /// The layer that a file would be which has a name that <see cref="For"/> could have given it,
    /// or <see cref="Carried"/>; null for any other.
    /// </summary>
    public static Layer? Read(string path)
    {
        var name = Path.GetFileName(path);
        var parts = name.Split('.');
        return parts is [{ Length: > 0 } target, _, .., var id, ("qcow2" or "raw") and var format]
            && IsTag(name[(target.Length + 1)..^(format.Length + 1)])
            ? new Layer
            {
                Id = new ShortId(id), Disk = target, Path = path, Format = format == "raw" ? ImageFormat.Raw : ImageFormat.Qcow2,
                VirtualSize = default,
                Origin = LayerOrigin.Coppice,
            }
            : null;
    }

    private static string Safe(string snapshotName)
    {
        ArgumentNullException.ThrowIfNull(snapshotName);
        return string.Concat(
            snapshotName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_').Take(MaximumNameLength));
    }
}
