using System.Globalization;
using System.Security;
using Coppice.Bench.Results;

namespace Coppice.Bench.Pages;

/// <summary>
/// Bars from left to right, in groups, each with a line from the least to the greatest value. An SVG for light and dark pages.
/// </summary>
/// <param name="title">What is shown.</param>
/// <param name="unit">The unit of the values.</param>
/// <param name="isLogarithmic">Each line of the scale is ten times the one before.</param>
internal sealed class BarPlot(string title, string unit, bool isLogarithmic)
{
    private const int Width = 820, Left = 210, Right = 70, Top = 44, Row = 18, Thickness = 12, Between = 12;
    private const string Font = "font-family=\"system-ui, sans-serif\" font-size=\"12\"";

    private const string Style = """
          .page { fill: #ffffff; } text { fill: #222222; } .note { fill: #555555; font-size: 11px; } .grid { stroke: #dddddd; }
          .ours { fill: #5d8a4a; } .theirs { fill: #b9793a; } .range { stroke: #222222; stroke-width: 1.2; }
          @media (prefers-color-scheme: dark) {
            .page { fill: #14181c; } text { fill: #e6e6e6; } .note { fill: #a8a8a8; } .grid { stroke: #33393f; }
            .ours { fill: #7fb069; } .theirs { fill: #d9975a; } .range { stroke: #e6e6e6; }
          }
        """;

    private readonly List<(string Name, List<(string Label, bool IsOurs, Series Values)> Bars)> _groups = [];

    /// <summary>Whether there is anything in it.</summary>
    public bool IsEmpty => _groups.Count == 0;

    /// <summary>Adds a bar, to the last group if that has this name. Nothing happens without a series.</summary>
    public void Add(string group, string label, bool isOurs, Series? values)
    {
        if (values is null or { Values: [] })
        {
            return;
        }

        if (_groups.Count == 0 || _groups[^1].Name != group)
        {
            _groups.Add((group, []));
        }

        _groups[^1].Bars.Add((label, isOurs, values));
    }

    public override string ToString()
    {
        var height = Top + _groups.Sum(g => Row + (g.Bars.Count * Row) + Between) + 20;
        List<string> lines = [.. Frame(height)];
        var y = Top;
        foreach (var (name, bars) in _groups)
        {
            lines.Add($"<text x=\"12\" y=\"{y + 4}\" font-weight=\"600\">{Escaped(name)}</text>");
            y += Row;
            foreach (var (label, isOurs, values) in bars)
            {
                lines.AddRange(Bar(y, label, isOurs, values));
                y += Row;
            }

            y += Between;
        }

        return string.Join('\n', lines) + "\n</svg>\n";
    }

    /// <summary>Title, colours and scale.</summary>
    private IEnumerable<string> Frame(int height)
    {
        yield return $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" {Font}>";
        yield return $"<title>{Escaped(title)}</title>";
        yield return $"<style>\n{Style}\n</style>";
        yield return $"<rect class=\"page\" width=\"{Width}\" height=\"{height}\"/>";
        yield return $"<text x=\"12\" y=\"20\" font-size=\"14\">{Escaped(title)}</text>";
        foreach (var mark in Marks())
        {
            var (x, label) = (X(mark), $"{Figures.Number(mark)} {Escaped(unit)}");
            yield return $"<line class=\"grid\" x1=\"{x}\" x2=\"{x}\" y1=\"{Top - 8}\" y2=\"{height - 20}\"/>";
            yield return $"<text class=\"note\" x=\"{x}\" y=\"{height - 6}\" text-anchor=\"middle\">{label}</text>";
        }
    }

    private IEnumerable<string> Bar(int y, string label, bool isOurs, Series values)
    {
        var (top, middle) = (y - Thickness + 1, y - (Thickness / 2) + 1);
        var (side, width) = (isOurs ? "ours" : "theirs", Text(Length(values.Median)));
        yield return $"<text x=\"{Left - 8}\" y=\"{y}\" text-anchor=\"end\">{Escaped(label)}</text>";
        yield return $"<rect class=\"{side}\" x=\"{Left}\" y=\"{top}\" width=\"{width}\" height=\"{Thickness}\" rx=\"2\"/>";
        yield return $"<line class=\"range\" x1=\"{X(values.Min)}\" x2=\"{X(values.Max)}\" y1=\"{middle}\" y2=\"{middle}\"/>";
        yield return $"<text class=\"note\" x=\"{Text(Left + Length(values.Max) + 6)}\" y=\"{y}\">{Figures.Number(values.Median)}</text>";
    }

    private double Greatest => _groups.Max(g => g.Bars.Max(b => b.Values.Max));

    /// <summary>Where the scale begins: a power of ten below all values, or nothing.</summary>
    private double Least => isLogarithmic
        ? Math.Pow(10, Math.Floor(Math.Log10(Math.Max(0.001, _groups.Min(g => g.Bars.Min(b => b.Values.Min))))))
        : 0;

    private IEnumerable<double> Marks()
    {
        if (isLogarithmic)
        {
            for (var mark = Least; mark <= Greatest; mark *= 10)
            {
                yield return mark;
            }

            yield break;
        }

        var step = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(Greatest, 1e-6))));
        step = Greatest / step < 2 ? step / 4 : Greatest / step < 5 ? step / 2 : step;
        for (var mark = 0.0; mark <= Greatest; mark += step)
        {
            yield return mark;
        }
    }

    private double Length(double value)
    {
        var part = isLogarithmic
            ? Math.Log(Math.Max(value, Least) / Least) / Math.Max(Math.Log(Greatest / Least), 1e-9)
            : value / Math.Max(Greatest, 1e-9);
        return Math.Max(1, (Width - Left - Right) * part);
    }

    private string X(double value) => Text(Left + (isLogarithmic && value <= Least || value <= 0 ? 0 : Length(value)));

    private static string Text(double number) => number.ToString("0.#", CultureInfo.InvariantCulture);

    private static string Escaped(string text) => SecurityElement.Escape(text);
}
