using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>How long the steps of an operation took, and what is timed within them.</summary>
internal static class StepTable
{
    public static MarkdownTable Of(PartResult part, string subject)
    {
        var columns = part.Series.Where(s => s.Subject == subject && IsPart(s)).Select(s => (s.Size, s.Condition)).Distinct().ToArray();
        var table = new MarkdownTable(1, ["", .. columns.Select(c => $"{c.Size}, {c.Condition}")]);
        var measures = part.Series.Where(s => s.Subject == subject && IsPart(s)).Select(s => s.Measure).Distinct()
            .OrderByDescending(m => m.StartsWith(Checkpoints.StepPrefix, StringComparison.Ordinal));
        foreach (var measure in measures)
        {
            table.Add([measure, .. columns.Select(c => Figures.Median(part.Find(subject, c.Size, c.Condition, measure)))]);
        }

        return table;
    }

    private static bool IsPart(Series series) =>
        series.Measure.StartsWith(Checkpoints.StepPrefix, StringComparison.Ordinal)
        || series.Measure.StartsWith(Checkpoints.PartPrefix, StringComparison.Ordinal);
}
