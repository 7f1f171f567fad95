using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>What a guest feels of a checkpoint.</summary>
internal static class PauseSection
{
    private const string Ours = "coppice";

    public static void Write(Page page, PartResult part)
    {
        page.Heading(2, "The pause of a checkpoint");
        page.Text("""
            The guest sends a beat every 5 ms. *Gap* is the longest time between two beats that the host sees around the checkpoint, nothing
            subtracted; *before* is the longest in the second before it, when nothing happens, and *dirtied* what the guest really dirtied
            then. *Stood still* is what Coppice reports. *Done* is
            from the request until all is durable and on record. Coppice is called in a process that runs, or as a command; virsh always is a
            command, and does not flush what it writes. Two qcow2 disks, two processors, half of the RAM written to (2 of the 8 GiB).
            """);
        foreach (var load in part.Conditions)
        {
            page.Heading(3, char.ToUpperInvariant(load[0]) + load[1..]);
            page.Table(Table(part, load));
            page.Plot(load.Split(' ')[0], $"Gap that the guest sees, {load}", Plot(part, load));
        }

        WriteParts(page, part);
    }

    private static MarkdownTable Table(PartResult part, string load)
    {
        var table = new MarkdownTable(
            2, "RAM", "", "dirtied, MB/s", "before", "gap", "stood still", "done", "MB written", "gap of virsh / gap", "done of virsh --live / done");
        foreach (var size in part.Sizes)
        {
            foreach (var subject in Subjects(part))
            {
                if (Of(subject, HeartbeatRounds.Gap) is { } gap)
                {
                    var done = Of(subject, HeartbeatRounds.Total);
                    var isOurs = IsOurs(subject);
                    table.Add(
                        size, subject, Figures.Megabytes(Of(subject, HeartbeatRounds.Rate)),
                        Figures.Median(Of(subject, HeartbeatRounds.Undisturbed)), Figures.Spread(gap),
                        Figures.Median(Of(subject, HeartbeatRounds.Pause)), Figures.Spread(done),
                        Figures.Megabytes(Of(subject, HeartbeatRounds.Written)),
                        isOurs ? Figures.Ratio(Of(Checkpoints.Virsh, HeartbeatRounds.Gap), gap) : "",
                        isOurs ? Figures.Ratio(Of(Checkpoints.VirshLive, HeartbeatRounds.Total), done) : "");
                }
            }

            Series? Of(string subject, string measure) => part.Find(subject, size, load, measure);
        }

        return table;
    }

    private static BarPlot Plot(PartResult part, string load)
    {
        var plot = new BarPlot($"Longest gap between two beats around a checkpoint, {load}", "ms", isLogarithmic: true);
        foreach (var size in part.Sizes)
        {
            foreach (var subject in Subjects(part).Where(s => s != Checkpoints.Command))
            {
                plot.Add(
                    size, subject, IsOurs(subject), part.Find(subject, size, load, HeartbeatRounds.Gap));
            }
        }

        return plot;
    }

    /// <summary>All of Coppice first.</summary>
    private static IEnumerable<string> Subjects(PartResult part) => part.Subjects.OrderByDescending(IsOurs);

    private static bool IsOurs(string subject) => subject.StartsWith(Ours, StringComparison.Ordinal);

    /// <summary>Of the way that is usual, every size.</summary>
    private static void WriteParts(Page page, PartResult part)
    {
        var subject = part.Subjects.First();
        page.Heading(3, "Where the time goes");
        page.Text($"Steps and their parts, medians, {subject}, through the library.");
        page.Table(StepTable.Of(part, subject));
    }
}
