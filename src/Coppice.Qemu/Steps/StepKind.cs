using System.Text.Json.Serialization.Metadata;
using Coppice.Core;

namespace Coppice.Qemu.Steps;

/// <summary>How one kind of step is carried out, undone and probed.</summary>
internal abstract record StepKind
{
    public abstract Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation);

    public abstract Task UndoAsync(Step step, StepContext context, CancellationToken cancellation);

    public abstract Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation);
}

/// <summary>A kind of step by the shape of its arguments.</summary>
/// <param name="Arguments">The shape.</param>
/// <param name="Apply">Carries it out.</param>
/// <param name="Undo">Takes it back; null where nothing can be taken back.</param>
/// <param name="Probe">Tells whether it took effect; null where it can be repeated without harm.</param>
internal sealed record StepKind<T>(
    JsonTypeInfo<T> Arguments,
    Func<T, StepContext, CancellationToken, Task<StepReport>> Apply,
    Func<T, StepContext, CancellationToken, Task>? Undo,
    Func<T, StepContext, CancellationToken, Task<StepOutcome>>? Probe) : StepKind
{
    public override Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation) =>
        Apply(step.Read(Arguments), context, cancellation);

    public override Task UndoAsync(Step step, StepContext context, CancellationToken cancellation) =>
        Undo?.Invoke(step.Read(Arguments), context, cancellation) ?? Task.CompletedTask;

    public override Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation) =>
        Probe?.Invoke(step.Read(Arguments), context, cancellation) ?? Task.FromResult(StepOutcome.NotDone);
}
