using System.Text;

namespace Coppice.Bench.Pages;

/// <summary>A table in Markdown. The first columns are words, the others figures, set to the right.</summary>
/// <param name="words">How many columns are words.</param>
/// <param name="columns">Their titles.</param>
internal sealed class MarkdownTable(int words, params string[] columns)
{
    private readonly List<string[]> _rows = [];

    /// <summary>Whether there is anything in it.</summary>
    public bool IsEmpty => _rows.Count == 0;

    /// <exception cref="ArgumentException">There are not as many cells as columns.</exception>
    public void Add(params string[] cells) => _rows.Add(cells.Length == columns.Length
        ? cells
        : throw new ArgumentException($"{cells.Length} cells for {columns.Length} columns", nameof(cells)));

    public override string ToString()
    {
        var text = new StringBuilder();
        Line(columns);
        Line(columns.Select((_, i) => i < words ? "---" : "--:"));
        foreach (var row in _rows)
        {
            Line(row.Select(c => c.Replace("|", "\\|", StringComparison.Ordinal)));
        }

        return text.ToString();

        void Line(IEnumerable<string> cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
    }
}
