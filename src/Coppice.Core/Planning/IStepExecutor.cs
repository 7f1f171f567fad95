using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What is known of a step whose intent was journalled and whose outcome was not.</summary>
public enum StepOutcome
{
    /// <summary>It took effect.</summary>
    Done,

    /// <summary>It took no effect.</summary>
    NotDone,

    /// <summary>It cannot be told; a person has to look.</summary>
    Unknown,
}

/// <summary>How long a part of a step took.</summary>
/// <param name="Name">The part, e.g. <c>stop</c>, <c>transaction</c>, <c>pause</c>.</param>
/// <param name="Elapsed">Its duration.</param>
public sealed record Timing(string Name, TimeSpan Elapsed);

/// <summary>What a step that was applied has to tell.</summary>
public sealed record StepReport
{
    /// <summary>Nothing to tell.</summary>
    public static StepReport Nothing { get; } = new();

    /// <summary>How it was done, where there was a choice.</summary>
    public string? Mechanism { get; init; }

    /// <summary>How long the guest stood still, where the step both stopped it and let it go on.</summary>
    public TimeSpan? Pause { get; init; }

    /// <summary>
    /// How long the guest had stood still when the step ended, where it ran before and a later step, in another process of
    /// the hypervisor perhaps, lets it go on.
    /// </summary>
    public TimeSpan? StandingAtEnd { get; init; }

    /// <summary>How long after its beginning the step let a guest go on; null if it let none.</summary>
    public TimeSpan? WentOnAfter { get; init; }

    /// <summary>The bytes that were written.</summary>
    public ByteCount Written { get; init; }

    /// <summary>
    /// What did not come about, and what to do about it: the step counts as done and is not repeated. Null if all did.
    /// </summary>
    public string? Warning { get; init; }

    /// <summary>How long its parts took.</summary>
    public ImmutableArray<Timing> Timings { get; init; } = [];
}

/// <summary>How far a long step has come.</summary>
public sealed record StepProgress(ByteCount Done, ByteCount Total);

/// <summary>Where a step is carried out.</summary>
/// <param name="Folder">The domain's folder.</param>
/// <param name="Operation">The operation it belongs to.</param>
/// <param name="Progress">Told how far a long step has come.</param>
public sealed record StepContext(DomainFolder Folder, ShortId Operation, IProgress<StepProgress> Progress)
{
    /// <summary>Told what an undo could not remove and nobody will come back for; a clause for the user.</summary>
    public Action<string> Leave { get; init; } = _ => { };
}

/// <summary>
/// Carries out the steps of one room. Whatever happens — a kill between any two instructions included — each method can be
/// called again, in this or a later process, and leads to the same end.
/// </summary>
public interface IStepExecutor
{
    /// <summary>The part before the dot of the kinds of its steps.</summary>
    string Prefix { get; }

    /// <summary>
    /// Carries the step out. On return everything the step made is durable. If it throws, or is cancelled, or the process
    /// dies, <see cref="UndoAsync"/> is called next.
    /// </summary>
    Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation);

    /// <summary>Takes back what the step did, wholly or in part, or nothing if it did nothing.</summary>
    Task UndoAsync(Step step, StepContext context, CancellationToken cancellation);

    /// <summary>Tells whether the step took effect.</summary>
    Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation);

    /// <summary>
    /// This process does nothing more for an operation, ended or not. What was to let a guest go on if the process died does so
    /// now: a process that lives on must not keep a guest standing until the next command.
    /// </summary>
    void LetGo(ShortId operation)
    {
    }
}
