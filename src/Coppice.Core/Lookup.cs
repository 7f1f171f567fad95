namespace Coppice.Core;

/// <summary>Finds things by name or uuid (R39), and suggests near names where there is none.</summary>
public static class Lookup
{
    private const int LargestDistance = 2;
    private const int MostSuggestions = 3;
    private const int LongestShown = 60;

    /// <summary>The error for a domain that does not exist.</summary>
    /// <param name="wanted">What the user gave.</param>
    /// <param name="known">The names of the domains there are.</param>
    public static CoppiceException NoDomain(string wanted, IEnumerable<string> known) =>
        NotFound($"domain '{Printable(wanted)}'", wanted, known, "see: coppice list");

    /// <summary>The error for a snapshot that does not exist.</summary>
    /// <param name="wanted">What the user gave.</param>
    /// <param name="catalog">The catalog that does not have it.</param>
    public static CoppiceException NoSnapshot(string wanted, Catalog catalog) => NotFound(
        $"snapshot '{Printable(wanted)}' of domain '{catalog.Name}'",
        wanted,
        catalog.Snapshots.Values.Select(s => s.Name),
        $"see: coppice snapshot list {catalog.Name}");

    /// <summary>The error for a tip that does not exist.</summary>
    /// <param name="wanted">What the user gave.</param>
    /// <param name="catalog">The catalog that does not have it.</param>
    public static CoppiceException NoTip(string wanted, Catalog catalog) => NotFound(
        $"tip '{Printable(wanted)}' of domain '{catalog.Name}'",
        wanted,
        catalog.Tips.Select(t => t.Id.Value),
        $"see: coppice tips list {catalog.Name}");

    private static CoppiceException NotFound(string subject, string wanted, IEnumerable<string> known, string otherwise)
    {
        var near = Near(wanted, known);
        var nextStep = near.Count == 0 ? otherwise : $"did you mean {string.Join(" or ", near.Select(n => $"'{n}'"))}?";
        return new CoppiceException(ErrorKind.NotFound, subject, "does not exist", nextStep);
    }

    private static List<string> Near(string wanted, IEnumerable<string> known) =>
    [
        .. known.Select(name => (Name: name, Distance: Distance(wanted.ToUpperInvariant(), name.ToUpperInvariant())))
            .Where(n => n.Distance <= LargestDistance && n.Distance < n.Name.Length)
            .OrderBy(n => n.Distance).ThenBy(n => n.Name, StringComparer.Ordinal)
            .Select(n => n.Name)
            .Take(MostSuggestions),
    ];

    // Levenshtein's distance, given up as soon as it must exceed the largest one: catalogs are large and names are long.
    private static int Distance(string left, string right)
    {
        if (Math.Abs(left.Length - right.Length) > LargestDistance)
        {
            return int.MaxValue;
        }

        int[] previous = [.. Enumerable.Range(0, right.Length + 1)];
        for (var i = 1; i <= left.Length && previous.Min() <= LargestDistance; i++)
        {
            var current = new int[right.Length + 1];
            current[0] = i;
            for (var j = 1; j <= right.Length; j++)
            {
                var replaced = previous[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                current[j] = Math.Min(replaced, Math.Min(previous[j], current[j - 1]) + 1);
            }

            previous = current;
        }

        return previous[^1] <= LargestDistance ? previous[^1] : int.MaxValue;
    }

    // What does not exist was never checked, so it may hold anything.
    private static string Printable(string name) =>
        string.Concat(name.Take(LongestShown).Select(c => char.IsControl(c) ? '?' : c))
        + (name.Length > LongestShown ? "…" : "");
}
