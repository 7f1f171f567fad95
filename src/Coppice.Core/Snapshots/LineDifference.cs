using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Compares texts line by line, for people: <c>-</c> is in the first only, <c>+</c> in the second only.</summary>
public static class LineDifference
{
    private const int Context = 2;

    // The table of a comparison has as many cells as the product of the lines; definitions have some hundred lines.
    private const long MostCells = 4 << 20;

    /// <summary>
    /// The lines that differ, each with its sign, and two lines around them; <c>...</c> stands for what is left out.
    /// </summary>
    /// <param name="first">The first text.</param>
    /// <param name="second">The second text.</param>
    public static ImmutableArray<string> Of(string first, string second)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        var (a, b) = (first.TrimEnd('\n').Split('\n'), second.TrimEnd('\n').Split('\n'));
        var start = a.Zip(b).TakeWhile(p => p.First == p.Second).Count();
        var end = a[start..].Reverse().Zip(b[start..].Reverse()).TakeWhile(p => p.First == p.Second).Count();
        List<(char Sign, string Text)> lines =
        [
            .. a[..start].Select(l => (' ', l)), .. Between(a[start..^end], b[start..^end]), .. a[^end..].Select(l => (' ', l)),
        ];
        return Shortened(lines);
    }

    /// <summary>By a longest common subsequence; what is too long for that has nothing in common.</summary>
    private static IEnumerable<(char Sign, string Text)> Between(string[] a, string[] b)
    {
        if ((long)a.Length * b.Length > MostCells)
        {
            return a.Select(l => ('-', l)).Concat(b.Select(l => ('+', l)));
        }

        var common = new int[a.Length + 1, b.Length + 1];
        for (var i = a.Length - 1; i >= 0; i--)
        {
            for (var j = b.Length - 1; j >= 0; j--)
            {
                common[i, j] = a[i] == b[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }

        return Walk(a, b, common);
    }

    private static IEnumerable<(char Sign, string Text)> Walk(string[] a, string[] b, int[,] common)
    {
        var (i, j) = (0, 0);
        while (i < a.Length || j < b.Length)
        {
            if (i < a.Length && j < b.Length && a[i] == b[j])
            {
                yield return (' ', a[i]);
                (i, j) = (i + 1, j + 1);
            }
            else if (j == b.Length || (i < a.Length && common[i + 1, j] >= common[i, j + 1]))
            {
                yield return ('-', a[i++]);
            }
            else
            {
                yield return ('+', b[j++]);
            }
        }
    }

    private static ImmutableArray<string> Shortened(List<(char Sign, string Text)> lines)
    {
        var shown = ImmutableArray.CreateBuilder<string>();
        var last = -1;
        for (var i = 0; i < lines.Count; i++)
        {
            var around = lines[Math.Max(0, i - Context)..Math.Min(lines.Count, i + Context + 1)];
            if (around.TrueForAll(l => l.Sign == ' '))
            {
                continue;
            }

            if (i > last + 1 && shown.Count > 0)
            {
                shown.Add("...");
            }

            shown.Add($"{lines[i].Sign} {lines[i].Text}");
            last = i;
        }

        return shown.ToImmutable();
    }
}
