using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Which of its tips a domain keeps: the newest so many, and those that are not older than so long. A tip goes only if neither
/// keeps it; if neither is given, none ever goes.
/// </summary>
/// <param name="Last">How many of the newest; null if their number does not matter.</param>
/// <param name="For">How old; null if their age does not matter.</param>
public sealed record TipRetention(int? Last, TimeSpan? For)
{
    /// <summary>All of them.</summary>
    public static TipRetention Forever { get; } = new(null, null);

    /// <summary>The tips that are not kept.</summary>
    /// <param name="tips">All there are, oldest first.</param>
    /// <param name="now">When that is asked.</param>
    public ImmutableArray<Tip> Expired(ImmutableArray<Tip> tips, DateTimeOffset now) => this == Forever
        ? []
        : [.. tips.Where((tip, i) => tips.Length - i > (Last ?? 0) && !(now - tip.LeftAt <= For))];
}
