using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Coppice.Core;

namespace Coppice.Qemu.Networks;

/// <summary>
/// What tap devices of a process have counted. They are looked up in the network namespace of the process, where /sys may show
/// another.
/// </summary>
internal static partial class TapTraffic
{
    private const string FileLine = "iff:\t";

    // Of the words after a device's name in /proc/net/dev; what is sent begins behind what is received.
    private const int Bytes = 0, Packets = 1, Errors = 2, Drops = 3, SentOffset = 8, Words = 16;

    /// <summary>The files in which a process has the tap devices of its cards, by card, in what it says of its networks.</summary>
    /// <param name="told">QEMU's own words: there is no query for machines.</param>
    public static ImmutableSortedDictionary<int, int> FilesIn(string told) => Wire().Matches(told)
        .Select(m => (Card: Number(m.Groups["card"]), File: Number(m.Groups["file"])))
        .DistinctBy(w => w.Card).ToImmutableSortedDictionary(w => w.Card, w => w.File);

    /// <summary>The tap device that a process has open in a file; null if it is gone.</summary>
    public static string? DeviceOf(int pid, int file) =>
        Lines($"/proc/{pid}/fdinfo/{file}").FirstOrDefault(l => l.StartsWith(FileLine, StringComparison.Ordinal))?[FileLine.Length..];

    /// <summary>What the guest of a process received and sent on a tap device; null if that is gone.</summary>
    public static (TrafficFigures Received, TrafficFigures Sent)? Of(int pid, string device) => Find(Lines($"/proc/{pid}/net/dev"), device);

    /// <summary>The same, in the kernel's own words. What the host sends to a tap device the guest receives.</summary>
    public static (TrafficFigures Received, TrafficFigures Sent)? Find(IEnumerable<string> lines, string device)
    {
        var words = lines.Select(l => l.Split(':', 2)).FirstOrDefault(l => l.Length == 2 && l[0].Trim() == device)?[1]
            .Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words?.Length is Words ? (Traffic(words[SentOffset..]), Traffic(words)) : null;
    }

    private static TrafficFigures Traffic(string[] words) =>
        new(new ByteCount(Number(words[Bytes])), Number(words[Packets]), Number(words[Errors]), Number(words[Drops]));

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended, or has closed the file.
            return [];
        }
    }

    private static long Number(string text) => long.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : 0;

    private static int Number(Capture text) => int.TryParse(text.ValueSpan, CultureInfo.InvariantCulture, out var number) ? number : -1;

    [GeneratedRegex(@"\bwire(?<card>[0-9]{1,9}): [^\r\n]*\btype=tap,[^\r\n]*\bfd=(?<file>[0-9]{1,9})\b", RegexOptions.CultureInvariant)]
    private static partial Regex Wire();
}
