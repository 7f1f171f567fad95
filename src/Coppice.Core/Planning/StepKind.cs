using System.Text.Json.Serialization.Metadata;

namespace Coppice.Core;

/// <summary>How one kind of step is carried out, undone and probed: what an executor is made of.</summary>
public abstract record StepKind
{
    /// <summary>See <see cref="IStepExecutor.ApplyAsync"/>.</summary>
    public abstract Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation);

    /// <summary>See <see cref="IStepExecutor.UndoAsync"/>.</summary>
    public abstract Task UndoAsync(Step step, StepContext context, CancellationToken cancellation);

    /// <summary>See <see cref="IStepExecutor.ProbeAsync"/>.</summary>
    public abstract Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation);

    /// <summary>The kind of a step.</summary>
    /// <exception cref="CoppiceException">There is none: another version planned it
    /// (<see cref="ErrorKind.Damaged"/>).</exception>
    public static StepKind Of(Step step, IReadOnlyDictionary<string, StepKind> kinds)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(kinds);
        return kinds.TryGetValue(step.Kind, out var kind)
            ? kind
            : throw new CoppiceException(
                ErrorKind.Damaged, $"step {step.Kind}", "is not known to this version of Coppice", "use the version that planned it");
    }
}

/// <summary>A kind of step by the shape of its arguments.</summary>
/// <param name="Arguments">The shape.</param>
/// <param name="Apply">Carries it out.</param>
/// <param name="Undo">Takes it back; null where nothing can be taken back.</param>
/// <param name="Probe">Tells whether it took effect; null where it can be repeated without harm.</param>
public sealed record StepKind<T>(
    JsonTypeInfo<T> Arguments,
    Func<T, StepContext, CancellationToken, Task<StepReport>> Apply,
    Func<T, StepContext, CancellationToken, Task>? Undo,
    Func<T, StepContext, CancellationToken, Task<StepOutcome>>? Probe) : StepKind
{
    /// <inheritdoc/>
    public override Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation) =>
        Apply(Read(step), context, cancellation);

    /// <inheritdoc/>
    public override Task UndoAsync(Step step, StepContext context, CancellationToken cancellation) =>
        Undo?.Invoke(Read(step), context, cancellation) ?? Task.CompletedTask;

    /// <inheritdoc/>
    public override Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation) =>
        Probe?.Invoke(Read(step), context, cancellation) ?? Task.FromResult(StepOutcome.NotDone);

    private T Read(Step step)
    {
        ArgumentNullException.ThrowIfNull(step);
        return step.Read(Arguments);
    }
}
