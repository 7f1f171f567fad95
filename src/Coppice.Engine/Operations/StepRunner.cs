using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Tells the caller of a request of the points that are passed.</summary>
internal sealed class Announcer(Action<OperationEvent>? handler)
{
    /// <summary>The handler threw: nothing more is to be done, as if the process had died.</summary>
    public bool IsAbandoned { get; private set; }

    public void Tell(OperationEvent passed)
    {
        try
        {
            handler?.Invoke(passed);
        }
        catch
        {
            IsAbandoned = true;
            throw;
        }
    }
}

/// <summary>Hands the steps of one operation to their executors and tells of the points that are passed.</summary>
internal sealed class StepRunner(
    DomainFolder folder, ImmutableArray<IStepExecutor> executors, TimeProvider time, Announcer announcer)
{
    private readonly long _beginning = time.GetTimestamp();
    private readonly ImmutableArray<string>.Builder _leftovers = ImmutableArray.CreateBuilder<string>();
    private readonly ImmutableArray<StepRun>.Builder _runs = ImmutableArray.CreateBuilder<StepRun>();

    public bool IsAbandoned => announcer.IsAbandoned;

    /// <summary>What was to be removed and stays, for the user to remove.</summary>
    public ImmutableArray<string> Leftovers => _leftovers.ToImmutable();

    public ImmutableArray<StepRun> Runs => _runs.ToImmutable();

    public void Tell(OperationPoint point, Plan plan, int? step = null, StepProgress? progress = null) =>
        announcer.Tell(new OperationEvent(point, plan.Id, step is { } index ? plan.Steps[index] : null, step, progress));

    public async Task ApplyAsync(Plan plan, int index, CancellationToken cancellation)
    {
        var step = plan.Steps[index];
        var start = time.GetTimestamp();
        var report = await ExecutorOf(step).ApplyAsync(step, ContextOf(plan, index), cancellation).ConfigureAwait(false);
        _runs.Add(new StepRun(
            step.Kind, step.Summary, time.GetElapsedTime(_beginning, start), time.GetElapsedTime(start), report));
    }

    public Task UndoAsync(Plan plan, int index)
    {
        var step = plan.Steps[index];
        return ExecutorOf(step).UndoAsync(step, ContextOf(plan, index), CancellationToken.None);
    }

    public Task<StepOutcome> ProbeAsync(Plan plan, int index)
    {
        var step = plan.Steps[index];
        return ExecutorOf(step).ProbeAsync(step, ContextOf(plan, index), CancellationToken.None);
    }

    /// <summary>Nothing more is done here for an operation, whatever became of it.</summary>
    public void LetGo(Plan plan)
    {
        foreach (var executor in executors)
        {
            executor.LetGo(plan.Id);
        }
    }

    private StepContext ContextOf(Plan plan, int index) => new(folder, plan.Id, new InlineProgress(this, plan, index))
    {
        Leave = _leftovers.Add,
    };

    private IStepExecutor ExecutorOf(Step step)
    {
        var dot = step.Kind.IndexOf('.', StringComparison.Ordinal);
        return executors.FirstOrDefault(e => dot > 0 && step.Kind.AsSpan(0, dot).SequenceEqual(e.Prefix))
            ?? throw new CoppiceException(
                ErrorKind.MissingCapability, $"step {step.Kind}", "no driver of this command carries it out",
                "use the command line that began the operation");
    }

    /// <summary>Unlike <see cref="Progress{T}"/>: in order, and on the caller's thread.</summary>
    private sealed class InlineProgress(StepRunner runner, Plan plan, int index) : IProgress<StepProgress>
    {
        public void Report(StepProgress value) => runner.Tell(OperationPoint.StepProgressed, plan, index, value);
    }
}
