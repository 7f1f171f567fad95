using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>Commands, and trees with many snapshots.</summary>
internal static class ListSection
{
    public static void Write(Page page, PartResult part)
    {
        page.Heading(2, "Many snapshots, and the start of a command");
        page.Text("""
            A tree of depth 64 at most, of a domain that is off: four snapshots that were taken, all others branches of these, so that disks have
            the same chains whatever the number. A new snapshot makes an overlay for each of two disks; it is deleted afterwards.
            """);
        var sizes = part.Sizes.Where(s => s != ListPart.None).ToArray();
        var table = new MarkdownTable(1, ["", .. sizes, .. sizes.Skip(1).Select(s => $"{s} / {sizes[0]}")]);
        var plot = new BarPlot("Commands by the number of snapshots", "ms", isLogarithmic: true);
        foreach (var subject in part.Subjects.Where(s => Of(s, sizes[0]) is not null))
        {
            table.Add([
                subject, .. sizes.Select(s => Figures.Spread(Of(subject, s))),
                .. sizes.Skip(1).Select(s => Figures.Ratio(Of(subject, s), Of(subject, sizes[0]))),
            ]);
            foreach (var size in sizes)
            {
                plot.Add(subject, size, true, Of(subject, size));
            }
        }

        page.Table(table);
        page.Plot("list", "Time of commands by the number of snapshots", plot);
        var start = new MarkdownTable(1, "start of a command, no domain", "ms");
        foreach (var subject in part.Subjects.Where(s => Of(s, ListPart.None) is not null))
        {
            start.Add(subject, Figures.Spread(Of(subject, ListPart.None)));
        }

        page.Table(start);

        Series? Of(string subject, string size) => part.Find(subject, size, "", ListPart.Total);
    }
}
