using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Qemu.Processes;

/// <summary>All run folders below a home, and for which domain each was made.</summary>
internal static class RunFolders
{
    private const int MaximumNoteBytes = 64;

    /// <summary>Notes the domain of a process, so that it can be told from others when nothing names it any more.</summary>
    public static Task NoteAsync(RunFolder folder, DomainFolder domain, CancellationToken cancellation) =>
        DurableFile.ReplaceAsync(folder.Domain, Encoding.UTF8.GetBytes(Path.GetFileName(domain.Path)), cancellation);

    /// <summary>The processes that have one. What else lies there is none of them.</summary>
    public static ImmutableArray<ProcessObservation> Processes(HomeFolder home, TimeProvider time)
    {
        var place = new DirectoryInfo(Path.GetDirectoryName(home.Process(new ShortId("")))!);
        return place.Exists
            ?
            [
                .. place.EnumerateDirectories()
                    .Where(d => d.Name.Length is >= 8 and <= 32 && d.Name.All(char.IsAsciiHexDigitLower))
                    .OrderBy(d => d.Name, StringComparer.Ordinal).Select(d => Look(home, new ShortId(d.Name), time)),
            ]
            : [];
    }

    private static ProcessObservation Look(HomeFolder home, ShortId id, TimeProvider time)
    {
        var folder = RunFolder.Of(home, id);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        var isAlive = process.Pid is not null;
        return new ProcessObservation(id, Noted(folder), isAlive, process.HasEnded) { Waits = isAlive ? WaitingMemory(folder) : null };
    }

    /// <summary>What a process that waits says it takes; null if it does not wait.</summary>
    private static ByteCount? WaitingMemory(RunFolder folder)
    {
        try
        {
            return new ByteCount(long.Parse(DurableFile.ReadTextBounded(folder.Waiting, MaximumNoteBytes), CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is FileException or FormatException or OverflowException)
        {
            return null;
        }
    }

    private static string? Noted(RunFolder folder)
    {
        try
        {
            return DurableFile.ReadTextBounded(folder.Domain, MaximumNoteBytes);
        }
        catch (FileException)
        {
            return null;
        }
    }
}
