using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>virsh, against several servers.</summary>
internal static class VirshSection
{
    public static void Write(Page page, PartResult part)
    {
        page.Heading(2, "virsh");
        page.Text($"""
            The same virsh against libvirtd, against `coppice serve`, and against a *floor*: a server that answers at once, from memory, what Coppice
            answered. {VirshDomains.Count} domains, {VirshDomains.Running} of them running; one that is off has {VirshPart.Snapshots:N0} snapshots, each of which takes a
            call of its own in a list. The start of virsh is in all figures.
            """);
        var table = new MarkdownTable(1, "", VirshPart.Libvirtd, VirshPart.Coppice, VirshPart.Floor, "coppice / floor", "coppice / libvirtd");
        var plot = new BarPlot("virsh, by what answers it", "ms", isLogarithmic: true);
        foreach (var (command, _) in VirshPart.Commands)
        {
            var (theirs, ours, floor) = (Of(VirshPart.Libvirtd), Of(VirshPart.Coppice), Of(VirshPart.Floor));
            table.Add(command, Figures.Spread(theirs), Figures.Spread(ours), Figures.Spread(floor), Figures.Ratio(ours, floor), Figures.Ratio(ours, theirs));
            plot.Add(command, VirshPart.Libvirtd, false, theirs);
            plot.Add(command, VirshPart.Coppice, true, ours);
            plot.Add(command, VirshPart.Floor, false, floor);

            Series? Of(string subject) => part.Find(subject, command, "", VirshPart.Total);
        }

        page.Table(table);
        page.Plot("virsh", "Time of virsh by what answers it", plot);
    }
}
