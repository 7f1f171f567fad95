using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>How long a revert takes.</summary>
internal static class RevertSection
{
    public static void Write(Page page, PartResult part)
    {
        page.Heading(2, "Reverts");
        page.Text("""
            From the request until the guest *runs*, as Coppice reports it; until the request is *done*, with everything on record; until the
            guest *answers* on a connection that is made after that; and until it has written to 256 MB of its RAM, at 1 GB/s at most. What it had is
            discarded.
            Coppice is called in a process that runs. libvirt 9 reverts to internal snapshots only.
            """);
        var table = new MarkdownTable(
            3, "RAM", "", "", RevertPart.Running, RevertPart.Done, RevertPart.Answers, RevertPart.Touched, "virsh done / runs", "virsh done / done");
        var plot = new BarPlot("From the request to revert until it is done, caches warm", "ms", isLogarithmic: true);
        foreach (var size in part.Sizes)
        {
            foreach (var condition in part.Conditions)
            {
                foreach (var subject in part.Subjects)
                {
                    Add(size, condition, subject);
                }
            }
        }

        page.Table(table);
        page.Plot("revert", "Time of a revert", plot);
        page.Heading(3, "Where the time of a revert goes");
        page.Table(StepTable.Of(part, RevertPart.Coppice));

        void Add(string size, string condition, string subject)
        {
            var (runs, done) = (Of(subject, RevertPart.Running), Of(subject, RevertPart.Done));
            var virsh = Of(RevertPart.Virsh, RevertPart.Done);
            var isOurs = subject != RevertPart.Virsh;
            if (done is null)
            {
                return;
            }

            table.Add(
                size, condition, subject, Figures.Spread(runs), Figures.Spread(done), Figures.Median(Of(subject, RevertPart.Answers)),
                Figures.Spread(Of(subject, RevertPart.Touched)), isOurs ? Figures.Ratio(virsh, runs) : "", isOurs ? Figures.Ratio(virsh, done) : "");
            if (condition == RevertPart.Warm)
            {
                plot.Add(size, isOurs ? $"{subject}, runs" : $"{subject}, done", isOurs, runs ?? done);
            }

            Series? Of(string who, string measure) => part.Find(who, size, condition, measure);
        }
    }
}
