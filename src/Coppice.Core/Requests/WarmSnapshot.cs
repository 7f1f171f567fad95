namespace Coppice.Core;

/// <summary>
/// Have processes wait for reverts to a snapshot, with its memory loaded. Those that wait already count; if more wait than asked for, the
/// rest ends. Can be repeated.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshot">The snapshot's name or uuid.</param>
/// <param name="Count">How many wait afterwards, at most <see cref="Most"/>; 0 ends all.</param>
public sealed record WarmSnapshot(string Domain, string Snapshot, int Count) : DomainRequest("snapshot warm", Domain)
{
    /// <summary>How many may wait for one snapshot.</summary>
    public const int Most = 64;

    /// <summary>Which part of the host's memory spares may take where nothing else is said: a quarter.</summary>
    public const int UsualPart = 4;

    /// <summary>How long they wait where nothing else is said: an hour.</summary>
    public static TimeSpan UsualLifetime { get; } = TimeSpan.FromHours(1);

    /// <summary>How long those that are new wait until they end by themselves.</summary>
    public TimeSpan Lifetime { get; init; } = UsualLifetime;

    /// <summary>How much of the host's memory the spares of all domains of the home may take; null for a quarter of it.</summary>
    public ByteCount? Budget { get; init; }
}
