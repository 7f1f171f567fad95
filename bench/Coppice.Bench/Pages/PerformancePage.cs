using Coppice.Bench.Parts;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>The page of all that was measured.</summary>
internal static class PerformancePage
{
    private static readonly Dictionary<string, Action<Page, PartResult>> s_sections = new()
    {
        [PausePart.Name] = PauseSection.Write,
        [AgePart.Name] = AgeSection.Write,
        [RevertPart.Name] = RevertSection.Write,
        [ForkPart.Name] = ForkSection.Write,
        [BytesPart.Name] = BytesSection.Write,
        [ListPart.Name] = ListSection.Write,
        [VirshPart.Name] = VirshSection.Write,
    };

    /// <param name="docs">The folder of the page.</param>
    /// <param name="parts">What is known of each part, in the order of the page.</param>
    public static void Write(string docs, IReadOnlyList<PartResult> parts)
    {
        var page = new Page("performance");
        page.Heading(1, "Performance");
        page.Text("""
            Written by `make bench` from what it measured; [bench/README.md](../bench/README.md) tells how. Figures are medians, and least and
            greatest between brackets, in milliseconds if nothing else is said. Ratios hold for this machine: both sides ran the same QEMU
            and the same guest in one run.
            """);
        if (parts.Where(p => p.IsQuick).Select(p => p.Part).ToArray() is { Length: > 0 } quick)
        {
            page.Text($"**A quick run** (`make bench QUICK=1`) of {string.Join(", ", quick)}: small guests, few rounds, and perhaps a busy machine. "
                + "It shows that everything works. Do not quote its figures.");
        }

        WriteMachines(page, parts);
        foreach (var part in parts)
        {
            s_sections[part.Part](page, part);
            foreach (var note in part.Notes)
            {
                page.Text(note);
            }
        }

        page.Write(docs);
    }

    /// <summary>One table for all parts that were measured on the same.</summary>
    private static void WriteMachines(Page page, IReadOnlyList<PartResult> parts)
    {
        var table = new MarkdownTable(2, "", "");
        foreach (var key in parts.SelectMany(p => p.Machine.Keys).Distinct())
        {
            foreach (var value in parts.GroupBy(p => p.Machine.GetValueOrDefault(key, Figures.Nothing)))
            {
                table.Add(key, value.Count() == parts.Count ? value.Key : $"{value.Key} ({string.Join(", ", value.Select(p => p.Part))})");
            }
        }

        foreach (var day in parts.GroupBy(p => $"{p.TakenAt:yyyy-MM-dd}"))
        {
            table.Add("Measured", day.Count() == parts.Count ? day.Key : $"{day.Key} ({string.Join(", ", day.Select(p => p.Part))})");
        }

        foreach (var way in parts.GroupBy(p => p.IsQuick))
        {
            var command = $"make bench{(way.Key ? " QUICK=1" : "")}";
            table.Add("Command", way.Count() == parts.Count ? $"`{command}`" : string.Join(", ", way.Select(p => $"`{command} PART={p.Part}`")));
        }

        page.Table(table);
    }
}
