namespace Coppice.Core;

/// <summary>The file names of layers: unique for ever and never reused, so that a chain stays readable by any tool.</summary>
public static class LayerFileName
{
    private const int MaximumNameLength = 64;

    /// <summary><c>&lt;target&gt;.&lt;snapshot&gt;.&lt;id&gt;.qcow2</c>; whatever is unsafe in a file name becomes an underscore (R186).</summary>
    public static string For(string target, string snapshotName, ShortId id)
    {
        ArgumentNullException.ThrowIfNull(snapshotName);
        var safe = snapshotName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_').Take(MaximumNameLength);
        return $"{target}.{string.Concat(safe)}.{id}.qcow2";
    }
}
