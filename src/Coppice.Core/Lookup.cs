namespace Coppice.Core;

/// <summary>Finds things by name or uuid, and suggests near names where there is none.</summary>
public static class Lookup
{
    private const int LargestDistance = 2;
    private const int MostSuggestions = 3;

    /// <summary>The domain of a name or uuid. A name wins over a uuid (R39).</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>); near names are suggested.</exception>
    /// <param name="domains">All there are, in whatever form the caller has them.</param>
    /// <param name="nameOrId">What the user gave.</param>
    /// <param name="name">The name of one.</param>
    /// <param name="id">The uuid of one.</param>
    public static T Domain<T>(IReadOnlyCollection<T> domains, string nameOrId, Func<T, string> name, Func<T, DomainId> id)
        where T : class =>
        Find(domains, nameOrId, name, d => id(d).ToString())
        ?? throw NotFound($"domain '{nameOrId}'", nameOrId, domains.Select(name), "see: coppice list");

    /// <summary>The item of a name or uuid; null if there is none.</summary>
    internal static T? Find<T>(IEnumerable<T> items, string nameOrId, Func<T, string> name, Func<T, string> id)
        where T : class
    {
        T? byId = null;
        foreach (var item in items)
        {
            if (name(item) == nameOrId)
            {
                return item;
            }

            if (string.Equals(id(item), nameOrId, StringComparison.OrdinalIgnoreCase))
            {
                byId = item;
            }
        }

        return byId;
    }

    /// <summary>The error for a name that does not exist.</summary>
    internal static CoppiceException NotFound(string subject, string wanted, IEnumerable<string> known, string otherwise)
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
}
