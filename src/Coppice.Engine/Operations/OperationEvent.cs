using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The points of an operation, in the order in which they are passed. Each is reported right after it is durable.
/// </summary>
public enum OperationPoint
{
    /// <summary>The journal with the whole plan is on disk.</summary>
    Planned,

    /// <summary>The intent of a step is on disk; the step begins.</summary>
    StepIntended,

    /// <summary>A long step has come further.</summary>
    StepProgressed,

    /// <summary>A step has taken effect; its outcome is not yet in the journal.</summary>
    StepApplied,

    /// <summary>The outcome of a step is in the journal; that of the switch is on disk.</summary>
    StepRecorded,

    /// <summary>The catalog's new records are on disk; its root is about to be replaced.</summary>
    Committing,

    /// <summary>The root has been replaced: the operation stands.</summary>
    Committed,

    /// <summary>A merge or copy of a disk that is waited for has come further. It is no step, and runs whether anybody waits or not.</summary>
    JobProgressed,

    /// <summary>A step is about to be undone.</summary>
    StepUndoing,

    /// <summary>A step was undone.</summary>
    StepUndone,

    /// <summary>The operation is over, one way or the other, and its journal is gone.</summary>
    Ended,
}

/// <summary>
/// An operation has passed a point. Handlers are called inline and in order. One that throws abandons the operation where it
/// stands, as if the process had died: the next command on the domain settles it.
/// </summary>
/// <param name="Point">The point.</param>
/// <param name="Operation">The operation; the job, for <see cref="OperationPoint.JobProgressed"/>.</param>
/// <param name="Step">The step, where the point concerns one.</param>
/// <param name="Index">The step's place in the plan.</param>
/// <param name="Progress">How far the step or job has come.</param>
public sealed record OperationEvent(OperationPoint Point, ShortId Operation, Step? Step = null, int? Index = null, StepProgress? Progress = null)
{
    /// <summary>The merge, for <see cref="OperationPoint.JobProgressed"/>.</summary>
    public MergeJob? Job { get; init; }

    /// <summary>The copy of a disk, likewise.</summary>
    public DiskMirror? Mirror { get; init; }
}
