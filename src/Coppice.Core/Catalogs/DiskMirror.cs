namespace Coppice.Core;

/// <summary>What a guest's disk is copied into while the guest goes on writing to it (libvirt domainxml, <c>&lt;mirror&gt;</c>).</summary>
public enum MirrorKind
{
    /// <summary>A new image with all that the disk shows; it builds on nothing.</summary>
    Whole,

    /// <summary>A new image with what the topmost layer has; it builds on what that one builds on.</summary>
    Shallow,

    /// <summary>An image below, into which everything above it is written. Nothing is to be left of that.</summary>
    Commit,
}

/// <summary>What becomes of a mirror and of the disk.</summary>
public enum MirrorEnd
{
    /// <summary>The guest goes on in the mirror, and lets go of what it was on.</summary>
    Pivot,

    /// <summary>The guest stays where it is; the mirror is a copy of the disk as it is at that moment, and the user's.</summary>
    Keep,

    /// <summary>The guest stays where it is; a mirror that Coppice made goes.</summary>
    Discard,
}

/// <summary>A copy of a disk that has ended.</summary>
/// <param name="Id">Which.</param>
/// <param name="End">How.</param>
/// <param name="HasFailed">It was given up because it had failed.</param>
public sealed record EndedMirror(ShortId Id, MirrorEnd End, bool HasFailed = false);

/// <summary>
/// A disk that is on record as being copied while its guest writes to it (R202). All that is written comes to the source at once and to the
/// target a moment later, until somebody ends it. It lives in the process of the guest and ends with it.
/// </summary>
public sealed record DiskMirror
{
    /// <summary>Unique for ever, within the domain.</summary>
    public required ShortId Id { get; init; }

    /// <summary>The disk, by target.</summary>
    public required string Disk { get; init; }

    /// <summary>The layer that the guest writes to.</summary>
    public required ShortId Source { get; init; }

    /// <summary>The layer that is to have the same.</summary>
    public required ShortId Target { get; init; }

    /// <summary>What of the disk is copied.</summary>
    public required MirrorKind Kind { get; init; }

    /// <summary>The process that the guest runs in.</summary>
    public required ShortId Process { get; init; }

    /// <summary>How it ends once everything is copied, whoever comes next; null if that is yet to be said.</summary>
    public MirrorEnd? End { get; init; }

    /// <summary>How whoever comes next ends it, by what its process says; null if it is not to be ended yet.</summary>
    public MirrorEnd? Due(MergeState state) => state switch
    {
        MergeState.Gone or MergeState.Failed => MirrorEnd.Discard,
        MergeState.Ready => End,
        _ => null,
    };
}
