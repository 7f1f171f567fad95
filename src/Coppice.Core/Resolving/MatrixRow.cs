using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a domain has to snapshot, the first column of the matrix.</summary>
[Flags]
public enum Activities
{
    /// <summary>Off: disks only.</summary>
    Offline = 1,

    /// <summary>A process runs it, whether its guest runs or stands still: disks and memory.</summary>
    Online = 2,

    /// <summary>Off, but a managed save keeps its memory.</summary>
    Saved = 4,

    /// <summary>There is memory to keep.</summary>
    Active = Online | Saved,

    /// <summary>No process uses its disks.</summary>
    Inactive = Offline | Saved,

    /// <summary>Whatever it does.</summary>
    Any = Offline | Active,
}

/// <summary>What was asked of the memory, the second column of the matrix.</summary>
[Flags]
public enum MemoryAsks
{
    /// <summary>Nothing was said.</summary>
    Omitted = 1,

    /// <summary>Leave it out.</summary>
    None = 2,

    /// <summary>Inside a disk.</summary>
    Internal = 4,

    /// <summary>In a file.</summary>
    External = 8,

    /// <summary>Keep it.</summary>
    Kept = Internal | External,

    /// <summary>It was not asked to be kept.</summary>
    NotKept = Omitted | None,

    /// <summary>Whatever was asked.</summary>
    Any = Kept | NotKept,
}

/// <summary>
/// What was asked of the writable disks taken together, the third column of the matrix. A disk that is merely left out
/// does not count beside one that takes part.
/// </summary>
[Flags]
public enum DiskAsks
{
    /// <summary>Nothing was said of at least one disk, and no other was asked to take part.</summary>
    Omitted = 1,

    /// <summary>Every disk is left out.</summary>
    None = 2,

    /// <summary>Some inside their images, none by a new layer.</summary>
    Internal = 4,

    /// <summary>Some by a new layer or by hand, none inside its image.</summary>
    External = 8,

    /// <summary>Some inside their images, others by a new layer.</summary>
    Mixed = 16,

    /// <summary>Whatever was asked.</summary>
    Any = Omitted | None | Internal | External | Mixed,
}

/// <summary>One way to fill in what a request leaves open.</summary>
/// <param name="Memory">Where the memory goes.</param>
/// <param name="OtherDisks">How the disks of which nothing was said take part.</param>
public sealed record MatrixChoice(MemoryMode Memory, DiskMode OtherDisks);

/// <summary>Why a combination makes no sense, and what to change.</summary>
public sealed record MatrixRefusal(string Problem, string NextStep);

/// <summary>A row of the matrix of R109–R133.</summary>
/// <param name="Rule">Its number; two numbers where disks of two rows are mixed.</param>
/// <param name="Domain">What the domain has to snapshot.</param>
/// <param name="Memory">What was asked of the memory.</param>
/// <param name="Disks">What was asked of the disks.</param>
/// <param name="DiskOnly">Whether disks only were asked for; null if that makes no difference.</param>
/// <param name="Choices">What the row leads to, the preferred way first; empty if it is refused.</param>
/// <param name="Refusal">Why it is refused; null if it is not.</param>
public sealed record MatrixRow(
    string Rule,
    Activities Domain,
    MemoryAsks Memory,
    DiskAsks Disks,
    bool? DiskOnly,
    ImmutableArray<MatrixChoice> Choices,
    MatrixRefusal? Refusal = null);
