using System.Globalization;
using Coppice.Core;

namespace Coppice.Qemu.Processes;

/// <summary>What the kernel counts of a process; see proc(5). Null for one that is gone.</summary>
internal static class ProcessFigures
{
    // USER_HZ, which does not change with the kernel's own clock.
    private const int TicksPerSecond = 100;

    // Of what follows the name in /proc/PID/stat, which may have spaces and parentheses in it.
    private const int UserIndex = 11, SystemIndex = 12;

    /// <summary>The memory that it has now, what it shares with others included.</summary>
    public static ByteCount? Resident(int pid) => Read($"/proc/{pid}/status", lines => new ByteCount(
        lines.Select(l => l.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries))
            .Where(words => words is ["RssAnon:" or "RssShmem:" or "RssFile:", _, "kB"])
            .Sum(words => 1024 * Number(words[1]))));

    /// <summary>The time on processors of all its threads, those that have ended included.</summary>
    public static ProcessorTime? Times(int pid) => Read($"/proc/{pid}/stat", TimesIn);

    /// <summary>The time on processors of one of its threads.</summary>
    public static ProcessorTime? Times(int pid, long thread) =>
        Read(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/task/{thread}/stat"), TimesIn);

    private static ProcessorTime TimesIn(string[] lines)
    {
        var line = string.Join('\n', lines);
        var words = line[(line.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length > SystemIndex
            ? new ProcessorTime(Duration(words[UserIndex]), Duration(words[SystemIndex]))
            : throw new FormatException("a line of /proc is too short");
    }

    private static T? Read<T>(string path, Func<string[], T> parse)
        where T : struct
    {
        try
        {
            return parse(File.ReadAllLines(path));
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static TimeSpan Duration(string ticks) => TimeSpan.FromTicks(Number(ticks) * (TimeSpan.TicksPerSecond / TicksPerSecond));

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
