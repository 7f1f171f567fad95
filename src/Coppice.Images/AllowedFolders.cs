namespace Coppice.Images;

/// <summary>The folders that images may lie in, with all their subfolders; compared by real path.</summary>
public sealed class AllowedFolders
{
    private readonly string[] _prefixes;

    /// <summary>Resolves the folders once.</summary>
    /// <exception cref="ImageException">A folder is missing or is none.</exception>
    public AllowedFolders(params IEnumerable<string> folders)
    {
        ArgumentNullException.ThrowIfNull(folders);
        _prefixes = [.. folders.Select(PinnedFile.RealFolder).Select(real => real.EndsWith('/') ? real : real + "/")];
    }

    /// <summary>Whether a real path lies in one of the folders.</summary>
    public bool Contain(string realPath) => _prefixes.Any(prefix => realPath.StartsWith(prefix, StringComparison.Ordinal));
}
