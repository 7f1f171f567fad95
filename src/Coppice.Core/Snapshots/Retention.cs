using System.Collections.Immutable;
using System.Globalization;

namespace Coppice.Core;

/// <summary>What becomes of a snapshot when a domain is pruned.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="Reasons">Why it stays; it goes if there are none.</param>
public sealed record Retained(Snapshot Snapshot, ImmutableArray<string> Reasons)
{
    /// <summary>Whether it stays.</summary>
    public bool Stays => !Reasons.IsEmpty;
}

/// <summary>
/// Which snapshots of a domain stay: each rule keeps some, and what none keeps goes. Days and weeks (ISO 8601) are those of UTC,
/// and only those count that have snapshots.
/// </summary>
/// <param name="Last">So many of the newest.</param>
/// <param name="Daily">The newest of each of so many days.</param>
/// <param name="Weekly">The newest of each of so many weeks.</param>
public sealed record Retention(int Last, int Daily, int Weekly)
{
    /// <summary>Also the current snapshot may go.</summary>
    public bool CurrentToo { get; init; }

    /// <summary>Decides.</summary>
    /// <returns>Every snapshot, those first on which no other builds: in this order they can be deleted.</returns>
    /// <exception cref="CoppiceException">No rule keeps any, or one has a negative number
    /// (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public ImmutableArray<Retained> Decide(Catalog catalog)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        if (Last < 0 || Daily < 0 || Weekly < 0 || Last + (long)Daily + Weekly == 0)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, "prune", "has no rule that keeps a snapshot", "say how many stay: --keep-last, --keep-daily or --keep-weekly");
        }

        var newest = catalog.Snapshots.Values.OrderByDescending(s => s.CreatedAt).ThenBy(s => s.Name, StringComparer.Ordinal).ToArray();
        var reasons = newest.Take(Last).Select(s => (s.Id, Why: "last"))
            .Concat(NewestOf(newest, Daily, s => s.CreatedAt.UtcDateTime.Date).Select(id => (id, "daily")))
            .Concat(NewestOf(newest, Weekly, Week).Select(id => (id, "weekly")))
            .Concat(!CurrentToo && catalog.Current is { } current ? [(current, "current")] : [])
            .ToLookup(r => r.Item1, r => r.Item2);
        return
        [
            .. new SnapshotTree(catalog).Descendants(null).Reverse().Select(s => new Retained(s, [.. reasons[s.Id]])),
        ];
    }

    private static IEnumerable<SnapshotId> NewestOf<T>(IEnumerable<Snapshot> newest, int count, Func<Snapshot, T> period) =>
        newest.DistinctBy(period).Take(count).Select(s => s.Id);

    private static (int Year, int Week) Week(Snapshot snapshot) =>
        (ISOWeek.GetYear(snapshot.CreatedAt.UtcDateTime), ISOWeek.GetWeekOfYear(snapshot.CreatedAt.UtcDateTime));
}
