namespace Coppice.Core;

/// <summary>Which of the two images of a merge is written (R197–R200).</summary>
public enum MergeDirection
{
    /// <summary>What the upper layer has is written into the lower one, and the upper file goes (R197).</summary>
    Commit,

    /// <summary>
    /// What the lower layer has and the upper one lacks is written into the upper one, and the lower file goes (R198).
    /// </summary>
    Stream,
}

/// <summary>
/// A merge that the catalog has on record: a layer without a name becomes one with the only layer that builds on it. It runs
/// inside a process, outlives the command that began it, and is finished by whoever comes next.
/// </summary>
public sealed record MergeJob
{
    /// <summary>Unique for ever, within the domain.</summary>
    public required ShortId Id { get; init; }

    /// <summary>The disk, by target.</summary>
    public required string Disk { get; init; }

    /// <summary>The layer without a name.</summary>
    public required ShortId Lower { get; init; }

    /// <summary>The only layer that builds on it.</summary>
    public required ShortId Upper { get; init; }

    /// <summary>Which of the two is written.</summary>
    public required MergeDirection Direction { get; init; }

    /// <summary>
    /// The process that it runs in: the domain's own, or one without a guest. Null if it waits to be begun; so does one whose
    /// process is gone.
    /// </summary>
    public ShortId? Process { get; init; }

    /// <summary>Whether it was ever begun, so that some of it may be written.</summary>
    public bool HasBegun { get; init; }

    /// <summary>The name that the file of the layer that stays is to have; null if it keeps its own (R201).</summary>
    public string? FinalName { get; init; }

    /// <summary>The layer whose content the other one takes over, and which stays.</summary>
    public ShortId Kept => Direction is MergeDirection.Commit ? Lower : Upper;

    /// <summary>The layer that goes.</summary>
    public ShortId Gone => Direction is MergeDirection.Commit ? Upper : Lower;
}
