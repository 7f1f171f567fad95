using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>How bad a finding is; the worst first.</summary>
public enum Severity
{
    /// <summary>Something that is needed is missing, or is not what it was.</summary>
    Damage,

    /// <summary>Nothing is lost, but something is not as it should be.</summary>
    Fault,

    /// <summary>Nothing is wrong; it takes room, or could not be looked at.</summary>
    Note,
}

/// <summary>What a check finds.</summary>
public enum FindingKind
{
    /// <summary>A catalog, a definition or a journal cannot be read.</summary>
    Unreadable,

    /// <summary>An image, an internal snapshot (R55), memory, a definition or what a TPM kept is gone.</summary>
    Missing,

    /// <summary>A chain of images is not the recorded one, or must not be opened.</summary>
    Altered,

    /// <summary>An image was written after a snapshot froze it.</summary>
    Rewritten,

    /// <summary>The tables of an image contradict each other.</summary>
    Corrupt,

    /// <summary>A process writes to another image than the catalog says.</summary>
    Moved,

    /// <summary>A process runs that no catalog names; it may write to images.</summary>
    Stray,

    /// <summary>The process of the domain does not answer.</summary>
    Silent,

    /// <summary>An operation was interrupted.</summary>
    Unfinished,

    /// <summary>A file is written although it has more names than one: whoever has the others sees it change.</summary>
    Shared,

    /// <summary>
    /// An image is borrowed from a domain whose catalog does not say so: a merge or a delete there would not spare it.
    /// </summary>
    Unlent,

    /// <summary>The guest has let go of a disk that the catalog still has.</summary>
    Unplugged,

    /// <summary>An image has clusters that nothing uses; they only take room.</summary>
    Leaking,

    /// <summary>Something that an interrupted command left, with nothing in it that could be missed.</summary>
    Leftover,

    /// <summary>An internal snapshot of an image that no snapshot of the catalog has (R52, R56).</summary>
    UnknownInternal,

    /// <summary>A file of the domain that no catalog names: perhaps what a forgotten snapshot kept.</summary>
    Orphan,

    /// <summary>A layer without a name is still there (ADR 22).</summary>
    Unnamed,

    /// <summary>What a domain had that was undefined is still there.</summary>
    Kept,

    /// <summary>Something could not be judged, since somebody is at work on it.</summary>
    Busy,
}

/// <summary>One thing that a check found: what is wrong, with which thing, and what to do about it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Subject">The thing.</param>
/// <param name="Problem">What is wrong with it, without a full stop.</param>
/// <param name="NextStep">What the user can do about it; empty if there is nothing to do.</param>
public sealed record Finding(FindingKind Kind, string Subject, string Problem, string NextStep = "")
{
    /// <summary>The name of the domain; null for what belongs to none.</summary>
    public string? Domain { get; init; }

    /// <summary>
    /// The steps that mend it; none if it is not for us to mend, or is mended by any command that takes the lock, or is another
    /// domain's to mend.
    /// </summary>
    public ImmutableArray<Step> Repair { get; init; } = [];

    /// <summary>
    /// What <see cref="Repair"/> removes may be what a forgotten snapshot kept: it takes more than a plain repair.
    /// </summary>
    public bool Forgets { get; init; }

    /// <summary>Whether a repair mends it, if asked for all that it may do.</summary>
    public bool IsRepairable => Kind is FindingKind.Unfinished or FindingKind.Unlent || !Repair.IsEmpty;

    /// <summary>How bad it is.</summary>
    public Severity Severity => SeverityOf(Kind);

    /// <summary>How bad findings of a kind are.</summary>
    public static Severity SeverityOf(FindingKind kind) => kind switch
    {
        FindingKind.Unreadable or FindingKind.Missing or FindingKind.Altered or FindingKind.Rewritten or FindingKind.Corrupt
            or FindingKind.Moved or FindingKind.Stray => Severity.Damage,
        FindingKind.UnknownInternal or FindingKind.Orphan or FindingKind.Unnamed or FindingKind.Kept or FindingKind.Busy => Severity.Note,
        _ => Severity.Fault,
    };

    /// <summary>The worst first, those of one domain together.</summary>
    public static ImmutableArray<Finding> Sorted(IEnumerable<Finding> findings) =>
    [
        .. findings.OrderBy(f => f.Severity).ThenBy(f => f.Domain, StringComparer.Ordinal).ThenBy(f => f.Kind)
            .ThenBy(f => f.Subject, StringComparer.Ordinal),
    ];
}
