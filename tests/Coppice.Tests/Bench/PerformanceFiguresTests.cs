using System.Xml.Linq;
using Coppice.Bench.Pages;
using Coppice.Bench.Results;

namespace Coppice.Tests.Bench;

/// <summary>What the page of the benchmarks makes of figures. The benchmarks themselves run on guests: make bench.</summary>
public sealed class PerformanceFiguresTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("coppice-bench-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("3", 3, 3, 3)]
    [InlineData("9 1 4", 4, 1, 9)]
    [InlineData("9 1 4 5", 4.5, 1, 9)]
    public void The_median_is_in_the_middle_whatever_the_order(string values, double median, double min, double max)
    {
        var series = Of([.. values.Split(' ').Select(double.Parse)]);
        Assert.Equal((median, min, max), (series.Median, series.Min, series.Max));
    }

    [Fact]
    public void Figures_have_three_digits_and_what_was_not_measured_says_so()
    {
        Assert.Equal(
            ["0", "0.12", "9.88", "12.3", "99.9", "100", "12,346"],
            new[] { 0, 0.123, 9.876, 12.34, 99.94, 99.96, 12345.6 }.Select(Figures.Number));
        Assert.Equal("2 (1–4)", Figures.Spread(Of(4, 1, 2)));
        Assert.Equal("7", Figures.Spread(Of(7)));
        Assert.Equal("5", Figures.Ratio(Of(10), Of(1, 2, 3)));
        Assert.All([Figures.Spread(null), Figures.Median(Of()), Figures.Ratio(Of(1), null)], f => Assert.Equal(Figures.Nothing, f));
    }

    [Fact]
    public void Figures_are_kept_for_a_run_that_measures_another_part()
    {
        var recorder = new Recorder();
        recorder.Add("coppice", "512 MiB", "idle", "gap", TimeSpan.FromMilliseconds(12.3456));
        recorder.Add("virsh", "512 MiB", "idle", "gap", TimeSpan.FromMilliseconds(400));
        recorder.Add("coppice", "512 MiB", "idle", "gap", TimeSpan.FromMilliseconds(10));
        var machine = new Dictionary<string, string> { ["QEMU"] = "7.2" };
        new PartResult("pause", DateTimeOffset.UnixEpoch, true, machine, ["so"], recorder.Series).Write(_folder);

        var read = PartResult.Read(_folder, "pause")!;
        Assert.Equal([12.346, 10], read.Find("coppice", "512 MiB", "idle", "gap")!.Values);
        Assert.Equal(["coppice", "virsh"], read.Subjects);
        Assert.Null(read.Find("coppice", "2 GiB", "idle", "gap"));
        Assert.Null(PartResult.Read(_folder, "list"));

        var later = read with { Series = [new("coppice", "2 GiB", "idle", "gap", "ms", [20])] };
        Assert.Equal(["512 MiB", "2 GiB"], later.WithSizesOf(read).Sizes);
        Assert.Equal(["2 GiB"], (later with { IsQuick = false }).WithSizesOf(read).Sizes);
    }

    [Fact]
    public void A_table_has_a_line_for_each_row_and_no_cell_breaks_it()
    {
        var table = new MarkdownTable(1, "who", "ms");
        Assert.True(table.IsEmpty);
        table.Add("a|b", "1");
        Assert.Equal("| who | ms |\n| --- | --: |\n| a\\|b | 1 |\n", $"{table}");
        Assert.Throws<ArgumentException>(() => table.Add("too few"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_plot_is_well_formed_and_longer_bars_are_more(bool isLogarithmic)
    {
        var plot = new BarPlot("gaps < & >", "ms", isLogarithmic);
        plot.Add("512 MiB", "none", true, null);
        Assert.True(plot.IsEmpty);
        plot.Add("512 MiB", "coppice", true, Of(10, 20, 30));
        plot.Add("512 MiB", "virsh", false, Of(400, 500, 600));

        var svg = XDocument.Parse($"{plot}").Root!;
        var lengths = svg.Elements().Where(e => (string?)e.Attribute("class") is "ours" or "theirs")
            .Select(e => (double)e.Attribute("width")!).ToArray();
        Assert.Equal(2, lengths.Length);
        Assert.True(lengths[0] < lengths[1], $"{lengths[0]} is not shorter than {lengths[1]}");
        Assert.Equal("gaps < & >", svg.Element(svg.Name.Namespace + "title")!.Value);
    }

    [Fact]
    public void A_page_replaces_its_plots_and_leaves_those_of_others()
    {
        foreach (var name in (string[])["performance-old.svg", "life.svg"])
        {
            File.WriteAllText(Path.Combine(_folder, name), "");
        }

        var plot = new BarPlot("gaps", "ms", isLogarithmic: false);
        plot.Add("g", "coppice", true, Of(1));
        var page = new Page("performance");
        page.Heading(1, "Performance");
        page.Table(new MarkdownTable(1, "empty"));
        page.Plot("new", "gaps", plot);
        page.Write(_folder);
        Assert.Equal(
            ["life.svg", "performance-new.svg", "performance.md"],
            Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal("# Performance\n\n![gaps](performance-new.svg)\n", File.ReadAllText(Path.Combine(_folder, "performance.md")));
    }

    private static Series Of(params double[] values) => new("who", "size", "condition", "measure", "ms", values);
}
