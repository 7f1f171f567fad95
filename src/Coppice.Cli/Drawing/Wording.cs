using System.Globalization;
using Coppice.Cli.Reports;
using Coppice.Core;
using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>How states, kinds, times and sizes are put for people.</summary>
internal static class Wording
{
    public static Cell State(string state) => state switch
    {
        Word.Running => new Cell(state, new Style(Color.Green)),
        Word.Paused or Word.Suspended or Word.Saved => new Cell(state, new Style(Color.Yellow)),
        Word.IoError => new Cell("I/O error", new Style(Color.Red)),
        Word.Crashed => new Cell(state, new Style(Color.Red)),
        _ => state,
    };

    /// <summary>What becomes of a domain while nothing runs it.</summary>
    public static string Persistence(DomainReport domain) => domain.Persistence switch
    {
        Word.Transient => $"transient, gone when it ends; let it stay: coppice persist {domain.Name}",
        Word.Trial => $"tried out, and thrown away when that ends; let it stay: coppice persist {domain.Name}",
        _ => "started with the host",
    };

    /// <summary>What became of a guest that was tried.</summary>
    public static string Trial(string end) => end switch
    {
        Word.Answers => "answers by its agent",
        Word.Runs => "runs",
        Word.NotTried => "was not tried",
        _ => "did not come up",
    };

    /// <summary>A layer without a name, why it is there and what makes it go.</summary>
    public static string Left(LeftLayerReport layer) =>
        $"{layer.Path} of {layer.Disk} ({Bytes(layer.Bytes)}): {layer.Reason}{(layer.NextStep.Length == 0 ? "" : $"; {layer.NextStep}")}";

    /// <summary>What a guest finds that starts on the disks of a snapshot.</summary>
    public static string Consistency(string consistency) => consistency switch
    {
        Word.Exact => "exact",
        Word.FileSystems => "whole file systems (quiesced)",
        _ => "as after a power failure (crash-consistent)",
    };

    /// <summary>
    /// What a snapshot keeps, and where. That it is neither exact nor has memory is worth a word in every list.
    /// </summary>
    public static string Kind(SnapshotReport snapshot)
    {
        var kept = snapshot.Disks.Where(d => d.Mode is Word.Internal or Word.External).ToArray();
        var what = (snapshot.Memory.Mode, kept.Length) switch
        {
            (Word.None, 0) => "nothing",
            (Word.None, _) => "disks",
            (_, 0) => "memory",
            _ => "memory+disks",
        };
        var place = snapshot.Place == Word.Internal ? ", internal" : "";
        var consistency = snapshot.Consistency switch
        {
            Word.Exact => "",
            Word.FileSystems => ", quiesced",
            _ => ", crash-consistent",
        };
        return what + place + consistency;
    }

    /// <summary>Which tips are kept.</summary>
    public static string Retention(TipRetentionReport? retention)
    {
        var last = retention?.Last is { } count ? Number($"the newest {count}") : null;
        var age = retention?.ForMs is { } longest ? $"those of the last {TimeSpan.FromMilliseconds(longest):g}" : null;
        return retention is null ? "kept for ever" : $"kept when another is left: {string.Join(", and ", new[] { last, age }.OfType<string>())}";
    }

    public static string Bytes(long bytes) => new ByteCount(bytes).ToString();

    /// <summary>How far a merge has come.</summary>
    public static string Done(JobReport job) =>
        job.TotalBytes == 0 ? "-" : Number($"{Math.Min(100, 100.0 * job.DoneBytes / job.TotalBytes):0} % of {Bytes(job.TotalBytes)}");

    public static string Duration(double milliseconds) => milliseconds switch
    {
        < 10 => Number($"{milliseconds:0.#} ms"),
        < 1_000 => Number($"{milliseconds:0} ms"),
        < 60_000 => Number($"{milliseconds / 1_000:0.0} s"),
        _ => Number($"{Math.Floor(milliseconds / 60_000):0} min {milliseconds % 60_000 / 1_000:0} s"),
    };

    /// <summary>How long ago; a clock that was set back makes it now.</summary>
    public static string Age(DateTimeOffset then, TimeProvider time)
    {
        var age = time.GetUtcNow() - then;
        return age switch
        {
            { TotalSeconds: < 1 } => "now",
            { TotalMinutes: < 1 } => Number($"{Math.Floor(age.TotalSeconds)} s ago"),
            { TotalHours: < 1 } => Number($"{Math.Floor(age.TotalMinutes)} min ago"),
            { TotalDays: < 2 } => Number($"{Math.Floor(age.TotalHours)} h ago"),
            _ => Number($"{Math.Floor(age.TotalDays)} days ago"),
        };
    }

    /// <summary>The time on the wall.</summary>
    public static string Time(DateTimeOffset then, TimeProvider time) =>
        TimeZoneInfo.ConvertTime(then, time.LocalTimeZone).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
