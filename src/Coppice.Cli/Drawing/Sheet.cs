using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>A cell of a sheet.</summary>
internal readonly record struct Cell(string Text, Style? Style = null)
{
    public static implicit operator Cell(string text) => new(text);
}

/// <summary>
/// Columns under each other, without lines around them: they can be read by people and cut by awk. A line is never
/// wrapped or shortened, so that a terminal and a pipe get the same text.
/// </summary>
internal sealed class Sheet
{
    private const int Endless = 10_000;
    private const int Gap = 2;
    private static readonly Style s_header = new(decoration: Decoration.Dim);
    private readonly Table _table = new Table().NoBorder().HideHeaders();

    public Sheet(int columns)
    {
        for (var i = 0; i < columns; i++)
        {
            var column = new TableColumn("").NoWrap().PadLeft(0).PadRight(i < columns - 1 ? Gap : 0);
            _table.AddColumn(column);
        }
    }

    public Sheet(params string[] headers)
        : this(headers.Length)
    {
        var row = new Cell[headers.Length];
        for (var i = 0; i < headers.Length; i++)
        {
            row[i] = new Cell(headers[i], s_header);
        }

        Add(row);
    }

    public void Add(params Cell[] cells)
    {
        var row = new Text[cells.Length];
        for (var i = 0; i < cells.Length; i++)
        {
            row[i] = new Text(Printable.Line(cells[i].Text), cells[i].Style);
        }

        _table.AddRow(row);
    }

    public void Draw(Surroundings surroundings)
    {
        using var drawn = new StringWriter { NewLine = "\n" };
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = surroundings.HasColour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = surroundings.HasColour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
            Out = new AnsiConsoleOutput(drawn),
        });
        console.Profile.Width = Endless;
        console.Profile.Capabilities.Unicode = true;
        console.Write(_table);
        foreach (var line in drawn.ToString().TrimEnd('\n').Split('\n'))
        {
            surroundings.Output.WriteLine(line.TrimEnd());
        }
    }
}
