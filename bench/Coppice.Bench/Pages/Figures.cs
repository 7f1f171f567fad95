using System.Globalization;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>Figures as the tables and plots show them.</summary>
internal static class Figures
{
    /// <summary>What stands where nothing was measured.</summary>
    public const string Nothing = "–";

    /// <summary>The median, and between brackets least and greatest.</summary>
    public static string Spread(Series? series) => series is null or { Values: [] } ? Nothing
        : series.Values.Count == 1 ? Number(series.Median)
        : $"{Number(series.Median)} ({Number(series.Min)}–{Number(series.Max)})";

    /// <summary>The median.</summary>
    public static string Median(Series? series) => series is null or { Values: [] } ? Nothing : Number(series.Median);

    /// <summary>The median of bytes, in MB.</summary>
    public static string Megabytes(Series? series) => series is null or { Values: [] } ? Nothing : Number(series.Median / 1e6);

    /// <summary>How many times as much the first is, by medians.</summary>
    public static string Ratio(Series? more, Series? less) =>
        more is null or { Values: [] } || less is null or { Values: [] } || less.Median <= 0 ? Nothing : $"{Number(more.Median / less.Median)}";

    /// <summary>Three digits, or all in front of the point.</summary>
    public static string Number(double value) => value switch
    {
        double.NaN => Nothing,
        >= 99.95 or <= -99.95 => value.ToString("#,0", CultureInfo.InvariantCulture),
        >= 9.995 or <= -9.995 => value.ToString("0.#", CultureInfo.InvariantCulture),
        _ => value.ToString("0.##", CultureInfo.InvariantCulture),
    };
}
