namespace Coppice.Core;

/// <summary>
/// The names of layers, as files and inside them: unique for ever and never reused, so that a chain stays readable by any
/// tool.
/// </summary>
public static class LayerFileName
{
    private const int MaximumNameLength = 64;

    /// <summary><c>&lt;target&gt;.&lt;snapshot&gt;.&lt;id&gt;.qcow2</c>; whatever is unsafe in a file name becomes an underscore (R186).</summary>
    public static string For(string target, string snapshotName, ShortId id) =>
        $"{target}.{Safe(snapshotName)}.{id}.qcow2";

    /// <summary>
    /// <c>&lt;snapshot&gt;.&lt;id&gt;</c>: what an image calls the internal snapshots of one snapshot, on all of its disks.
    /// </summary>
    public static string TagFor(string snapshotName, ShortId id) => $"{Safe(snapshotName)}.{id}";

    /// <summary>Whether an internal snapshot has a name that <see cref="TagFor"/> could have given it.</summary>
    public static bool IsTag(string tag)
    {
        ArgumentNullException.ThrowIfNull(tag);
        var dot = tag.LastIndexOf('.');
        return dot > 0 && tag[(dot + 1)..] is { Length: >= 8 and <= 32 } id && id.All(char.IsAsciiHexDigitLower)
            && Safe(tag[..dot]) == tag[..dot];
    }

    private static string Safe(string snapshotName)
    {
        ArgumentNullException.ThrowIfNull(snapshotName);
        return string.Concat(
            snapshotName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_').Take(MaximumNameLength));
    }
}
