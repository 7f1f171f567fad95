using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>Many guests of one snapshot.</summary>
internal static class ForkSection
{
    public static void Write(Page page, PartResult part)
    {
        var size = part.Sizes.First();
        page.Heading(2, "Forks");
        page.Text($"From the request until all forks of a snapshot of {size} run, and are on record.");
        var times = new MarkdownTable(1, "forks", "library, ms", "coppice snapshot fork --start, ms");
        foreach (var count in part.Conditions.Where(c => part.Find(ForkPart.Library, size, c, ForkPart.Total) is not null))
        {
            times.Add(
                count, Figures.Spread(part.Find(ForkPart.Library, size, count, ForkPart.Total)),
                Figures.Spread(part.Find(ForkPart.Command, size, count, ForkPart.Total)));
        }

        page.Table(times);
        page.Text("Memory of each of ten, in MB. The RAM files can be given back by the host: they are on the disk.");
        var memory = new MarkdownTable(1, "", ForkPart.Proportional, ForkPart.Anonymous, ForkPart.Cached);
        foreach (var condition in (string[])[ForkPart.Fresh, ForkPart.Worked])
        {
            memory.Add(condition, Megabytes(ForkPart.Proportional), Megabytes(ForkPart.Anonymous), Megabytes(ForkPart.Cached));

            string Megabytes(string measure)
            {
                var bytes = part.Find(ForkPart.Library, size, condition, measure);
                return Figures.Spread(bytes is null ? null : bytes with { Values = [.. bytes.Values.Select(v => v / 1e6)] });
            }
        }

        page.Table(memory);
    }
}
