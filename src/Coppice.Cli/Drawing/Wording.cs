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
    public static string Persistence(DomainReport domain) => domain.Persistence == Word.Transient
        ? $"transient, gone when it ends; let it stay: coppice persist {domain.Name}"
        : "started with the host";

    /// <summary>What a snapshot keeps, and where.</summary>
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
        return snapshot.Place == Word.Internal ? $"{what}, internal" : what;
    }

    public static string Bytes(long bytes) => new ByteCount(bytes).ToString();

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
