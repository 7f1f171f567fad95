using System.Globalization;

namespace Coppice.Qemu.Networks;

/// <summary>The process that has a tap device, as far as this user may see.</summary>
/// <param name="Pid">Its id.</param>
/// <param name="Program">The name of its program.</param>
internal sealed record TapHolder(int Pid, string Program)
{
    /// <summary>Finds it among the open files of all processes.</summary>
    /// <returns>Null if nobody has it, or a process that is not shown to this user.</returns>
    public static TapHolder? Of(string device) => Directory.EnumerateDirectories("/proc")
        .Select(Path.GetFileName)
        .Select(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? pid : 0)
        .Where(pid => pid > 0 && Has(pid, device))
        .Select(pid => new TapHolder(pid, ProgramOf(pid)))
        .FirstOrDefault();

    /// <summary>Whether a process has it.</summary>
    public static bool Has(int pid, string device)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries($"/proc/{pid}/fd").Any(
                file => new FileInfo(file).LinkTarget == NetworkCalls.Source
                    && File.ReadLines($"/proc/{pid}/fdinfo/{Path.GetFileName(file)}").Contains($"iff:\t{device}"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended, or is somebody else's.
            return false;
        }
    }

    private static string ProgramOf(int pid)
    {
        try
        {
            return string.Concat(File.ReadAllText($"/proc/{pid}/comm").Where(c => !char.IsControl(c)));
        }
        catch (IOException)
        {
            return "ending";
        }
    }
}
