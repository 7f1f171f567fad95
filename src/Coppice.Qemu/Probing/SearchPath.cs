namespace Coppice.Qemu.Probing;

/// <summary>Where programs are.</summary>
internal static class SearchPath
{
    /// <summary>The path of a program; null if there is none.</summary>
    /// <param name="program">A path, or a name to look for in <c>PATH</c>.</param>
    public static string? Find(string program)
    {
        var folders = program.Contains('/', StringComparison.Ordinal)
            ? [""]
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        return folders.Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists);
    }
}
