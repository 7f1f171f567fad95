using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>How something frozen compares with its checksum.</summary>
public enum VerifiedState
{
    /// <summary>It is what it was when the checksum was taken.</summary>
    Intact,

    /// <summary>Its checksum was taken now.</summary>
    Taken,

    /// <summary>No checksum was taken yet, or only of what it was before somebody took it as it is now.</summary>
    Unverified,

    /// <summary>It is not what it was, and nobody has written to it by the usual means: the storage has failed it.</summary>
    Changed,

    /// <summary>It was written after its snapshot froze it.</summary>
    Rewritten,

    /// <summary>It is gone.</summary>
    Missing,

    /// <summary>It cannot be read.</summary>
    Unreadable,
}

/// <summary>A layer or memory image that snapshots rely on, and what reading it told.</summary>
/// <param name="State">How it compares.</param>
/// <param name="Disk">The disk of a layer, by target; null for memory.</param>
/// <param name="File">Its file.</param>
/// <param name="Snapshots">The names of the snapshots that rely on it.</param>
/// <param name="Problem">What is wrong, if more can be said.</param>
public sealed record Verification(
    VerifiedState State, string? Disk, string File, ImmutableArray<string> Snapshots, string Problem = "");
