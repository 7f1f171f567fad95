using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What became of one of several forks.</summary>
/// <param name="Request">The fork.</param>
/// <param name="Result">The result; null if it was not done.</param>
/// <param name="Error">Why not; null if it was done.</param>
public sealed record ForkOutcome(ForkSnapshot Request, OperationResult? Result, CoppiceException? Error)
{
    /// <summary>Whether the fork is there, started or not.</summary>
    public bool IsMade { get; init; } = true;
}

/// <summary>
/// Several forks: they are made one after another, since each needs the lock of the home, and started side by side. Loading
/// memory keeps a processor busy, so there are as many starts at a time as processors.
/// </summary>
internal sealed class ForkSeries : IDisposable
{
    private readonly SemaphoreSlim _turns = new(Environment.ProcessorCount);
    private TaskCompletionSource _made = new();

    /// <summary>
    /// Carries them out. The first that cannot be made is the last; one that cannot be started holds up none of the others.
    /// </summary>
    /// <param name="forks">The forks.</param>
    /// <param name="run">Carries out one, as a part of this.</param>
    /// <returns>What became of each, in order, as far as they were tried.</returns>
    public async Task<ImmutableArray<ForkOutcome>> RunAsync(IEnumerable<ForkSnapshot> forks, Func<ForkSnapshot, Task<OperationResult>> run)
    {
        var outcomes = new List<Task<ForkOutcome>>();
        foreach (var fork in forks)
        {
            _made = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var outcome = OutcomeAsync(fork, run, _made.Task);
            outcomes.Add(outcome);
            await Task.WhenAny(outcome, _made.Task).ConfigureAwait(false);
            if (!_made.Task.IsCompleted && (!outcome.IsCompletedSuccessfully || (await outcome.ConfigureAwait(false)).Error is not null))
            {
                break;
            }
        }

        return [.. await Task.WhenAll(outcomes).ConfigureAwait(false)];
    }

    /// <summary>A fork was made, so the next can be, and this one waits until it may start.</summary>
    /// <returns>What ends its turn.</returns>
    public async Task<IDisposable> TurnAsync()
    {
        _made.SetResult();
        await _turns.WaitAsync().ConfigureAwait(false);
        return new Turn(_turns);
    }

    public void Dispose() => _turns.Dispose();

    private static async Task<ForkOutcome> OutcomeAsync(ForkSnapshot fork, Func<ForkSnapshot, Task<OperationResult>> run, Task made)
    {
        try
        {
            return new ForkOutcome(fork, await run(fork).ConfigureAwait(false), null);
        }
        catch (CoppiceException e)
        {
            return new ForkOutcome(fork, null, e) { IsMade = made.IsCompleted };
        }
    }

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        public void Dispose() => turns.Release();
    }
}
