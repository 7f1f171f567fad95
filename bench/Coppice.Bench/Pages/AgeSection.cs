using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>What becomes of the pause in time.</summary>
internal static class AgeSection
{
    public static void Write(Page page, PartResult part)
    {
        var size = part.Sizes.First();
        page.Heading(2, "Long chains and old RAM");
        page.Text($"""
            The same, {size} on XFS: on a fresh guest, on chains of many layers, and after many checkpoints one after another under load, of
            which the last ten are kept.
            """);
        var table = new MarkdownTable(2, "", "", "gap", "stood still", "done");
        foreach (var subject in part.Subjects.Where(s => Of(s, HeartbeatRounds.Undisturbed) is not null))
        {
            foreach (var load in part.Conditions)
            {
                table.Add(
                    subject, load, Figures.Spread(part.Find(subject, size, load, HeartbeatRounds.Gap)),
                    Figures.Median(part.Find(subject, size, load, HeartbeatRounds.Pause)),
                    Figures.Spread(part.Find(subject, size, load, HeartbeatRounds.Total)));
            }
        }

        page.Table(table);
        page.Text("Each of the many checkpoints, ten at a time. The pieces are those in which the RAM lies on the volume.");
        var many = new MarkdownTable(1, "checkpoints", "gap", "done", AgePart.Pieces);
        var plot = new BarPlot(
            $"Longest gap between two beats, one checkpoint after another under load, {size}", "ms", isLogarithmic: false);
        foreach (var subject in part.Subjects.Where(s => Of(s, AgePart.Pieces) is not null))
        {
            many.Add(
                subject, Figures.Spread(Of(subject, HeartbeatRounds.Gap)), Figures.Spread(Of(subject, HeartbeatRounds.Total)),
                Figures.Spread(Of(subject, AgePart.Pieces)));
            plot.Add("checkpoints", subject, true, Of(subject, HeartbeatRounds.Gap));
        }

        page.Table(many);
        page.Plot("age", "Gap of one checkpoint after another", plot);

        Series? Of(string subject, string measure) => part.Find(subject, size, Load.Dirtying.Name, measure);
    }
}
