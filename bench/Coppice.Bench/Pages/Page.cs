using System.Text;

namespace Coppice.Bench.Pages;

/// <summary>A page in Markdown with plots beside it.</summary>
/// <param name="name">The name of its file, without ending; those of the plots begin with it.</param>
internal sealed class Page(string name)
{
    private readonly StringBuilder _text = new();
    private readonly List<(string File, string Content)> _plots = [];

    public void Heading(int level, string text) => Text($"{new string('#', level)} {text}");

    /// <summary>A paragraph.</summary>
    public void Text(string text) => _text.Append(text.TrimEnd()).Append("\n\n");

    /// <summary>A table, unless it is empty.</summary>
    public void Table(MarkdownTable table)
    {
        if (!table.IsEmpty)
        {
            Text($"{table}");
        }
    }

    /// <summary>A plot, unless it is empty.</summary>
    public void Plot(string suffix, string description, BarPlot plot)
    {
        if (!plot.IsEmpty)
        {
            _plots.Add(($"{name}-{suffix}.svg", $"{plot}"));
            Text($"![{description}]({name}-{suffix}.svg)");
        }
    }

    /// <summary>Replaces the page and all of its plots.</summary>
    public void Write(string folder)
    {
        foreach (var old in Directory.GetFiles(folder, $"{name}-*.svg"))
        {
            File.Delete(old);
        }

        _plots.ForEach(plot => File.WriteAllText(Path.Combine(folder, plot.File), plot.Content));
        File.WriteAllText(Path.Combine(folder, name + ".md"), $"{_text}".TrimEnd() + "\n");
    }
}
