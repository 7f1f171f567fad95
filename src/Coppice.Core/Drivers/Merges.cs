using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Merge a layer with the only one that builds on it.</summary>
/// <param name="Job">The job; what the hypervisor runs is called <c>coppice-JOB</c>.</param>
/// <param name="Chain">
/// The chain from the layer on top of what the process has open, or has to open, to the lowest: top first, as it is before the
/// merge. In a process without a guest the upper layer is on top.
/// </param>
/// <param name="Lower">The lower layer, in the chain.</param>
/// <param name="Upper">The one above it, in the chain. A commit never has the layer that a guest writes here.</param>
/// <param name="Direction">Which of the two is written.</param>
public sealed record MergeRequest(ShortId Job, ImmutableArray<Layer> Chain, ShortId Lower, ShortId Upper, MergeDirection Direction);

/// <summary>How far a merge has come.</summary>
public enum MergeState
{
    /// <summary>There is no such process, or no such job in it.</summary>
    Gone,

    /// <summary>It is copying.</summary>
    Running,

    /// <summary>All is copied, and it waits to be finished.</summary>
    Ready,

    /// <summary>It has ended with an error.</summary>
    Failed,
}

/// <summary>What a process says about a merge.</summary>
/// <param name="Job">The job.</param>
/// <param name="State">How far it has come.</param>
/// <param name="Done">The bytes that were looked at or copied.</param>
/// <param name="Total">How many there are; 0 if it is not known yet.</param>
public sealed record MergeObservation(ShortId Job, MergeState State, ByteCount Done, ByteCount Total)
{
    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>A job that no process has.</summary>
    public static MergeObservation Gone(ShortId job) => new(job, MergeState.Gone, default, default);
}

/// <summary>What each direction of a merge would write.</summary>
/// <param name="Commit">What the upper layer has allocated.</param>
/// <param name="Stream">What the lower layer has allocated and the upper one has not.</param>
public sealed record MergeCost(ByteCount Commit, ByteCount Stream);
