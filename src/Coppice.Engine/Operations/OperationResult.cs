using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>How to run a request.</summary>
public sealed record RunOptions
{
    /// <summary>Stop after planning; nothing is touched.</summary>
    public bool PlanOnly { get; init; }

    /// <summary>Told of every point that is passed, inline.</summary>
    public Action<OperationEvent>? OnEvent { get; init; }

    /// <summary>How long to wait for another command that holds the domain.</summary>
    public TimeSpan LockWait { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>A step that was carried out.</summary>
/// <param name="Kind">The kind of the step.</param>
/// <param name="Summary">The step, for people.</param>
/// <param name="Began">When it began, counted from when the operation began to act.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="Report">What it had to tell.</param>
public sealed record StepRun(string Kind, string Summary, TimeSpan Began, TimeSpan Elapsed, StepReport Report);

/// <summary>What became of a request.</summary>
public sealed record OperationResult
{
    /// <summary>What was planned.</summary>
    public required Plan Plan { get; init; }

    /// <summary>Whether it was carried out.</summary>
    public required bool Executed { get; init; }

    /// <summary>The catalog afterwards, or as it is if nothing was carried out; null once the domain is undefined.</summary>
    public required Catalog? Catalog { get; init; }

    /// <summary>The steps that were carried out.</summary>
    public ImmutableArray<StepRun> Steps { get; init; } = [];

    /// <summary>How long it all took, waiting for the lock included.</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>
    /// How long the guest stood still, as the driver measured it: up to where it went on, be it in another process of the
    /// hypervisor. Null if it did not have to stand still, or did not run before, or was not let go on.
    /// </summary>
    public TimeSpan? Pause { get; init; }

    /// <summary>The bytes that were written.</summary>
    public ByteCount Written { get; init; }

    /// <summary>The mechanism that was used, as the driver reports it.</summary>
    public required string Mechanism { get; init; }

    /// <summary>What became of the guest that was tried; null if none was (<see cref="TrySnapshot"/>).</summary>
    public GuestTrial? Trial { get; init; }

    /// <summary>
    /// What went wrong without keeping the request from being done. Most say that the next command on the domain tries it again;
    /// the others say what to do.
    /// </summary>
    public ImmutableArray<string> Warnings { get; init; } = [];
}
