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
/// memory keeps a processor busy, so there are as many starts at a time as processors. Guests that run would take these from the
/// ones that are yet to be started: so they stand until a whole group does, and are let run together.
/// </summary>
internal sealed class ForkSeries(TimeProvider time) : IDisposable
{
    private const int GroupPerProcessor = 8;

    /// <summary>How long one waits after the last that came, so that none is held up by one that cannot be started.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _turns = new(Environment.ProcessorCount);
    private Meeting _meeting = new();
    private TaskCompletionSource _made = new();

    /// <summary>
    /// Carries them out. The first that cannot be made is the last; one that cannot be started holds up none of the others.
    /// </summary>
    /// <param name="forks">The forks.</param>
    /// <param name="run">Carries out one, as a part of this.</param>
    /// <returns>What became of each, in order, as far as they were tried.</returns>
    public async Task<ImmutableArray<ForkOutcome>> RunAsync(IEnumerable<ForkSnapshot> forks, Func<ForkSnapshot, Task<OperationResult>> run)
    {
        var outcomes = new List<ForkOutcome>();
        foreach (var group in forks.Chunk(GroupPerProcessor * Environment.ProcessorCount))
        {
            outcomes.AddRange(await RunGroupAsync(group, run).ConfigureAwait(false));
            if (outcomes.Any(o => !o.IsMade))
            {
                break;
            }
        }

        return [.. outcomes];
    }

    /// <summary>A fork was made, so the next can be, and this one waits until it may start.</summary>
    public async Task<Turn> TurnAsync()
    {
        var meeting = _meeting;
        _made.SetResult();
        await _turns.WaitAsync().ConfigureAwait(false);
        return new Turn(_turns, meeting, time);
    }

    public void Dispose() => _turns.Dispose();

    private async Task<ForkOutcome[]> RunGroupAsync(ForkSnapshot[] forks, Func<ForkSnapshot, Task<OperationResult>> run)
    {
        var outcomes = new List<Task<ForkOutcome>>();
        _meeting = new Meeting();
        foreach (var fork in forks)
        {
            _made = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _meeting.Expect();
            var outcome = OutcomeAsync(fork, run, _made.Task, _meeting);
            outcomes.Add(outcome);
            await Task.WhenAny(outcome, _made.Task).ConfigureAwait(false);
            if (!_made.Task.IsCompleted && (!outcome.IsCompletedSuccessfully || (await outcome.ConfigureAwait(false)).Error is not null))
            {
                break;
            }
        }

        _meeting.Arrive();
        return await Task.WhenAll(outcomes).ConfigureAwait(false);
    }

    private static async Task<ForkOutcome> OutcomeAsync(
        ForkSnapshot fork, Func<ForkSnapshot, Task<OperationResult>> run, Task made, Meeting meeting)
    {
        try
        {
            return new ForkOutcome(fork, await run(fork).ConfigureAwait(false), null);
        }
        catch (CoppiceException e)
        {
            return new ForkOutcome(fork, null, e) { IsMade = made.IsCompleted };
        }
        finally
        {
            if (!made.IsCompleted)
            {
                // It never had a turn, whose end would have been its arrival.
                meeting.Arrive();
            }
        }
    }

    /// <summary>Where the forks of a group wait for each other. Whoever makes them is expected too, so that none is missed.</summary>
    internal sealed class Meeting
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _missing = 1;

        /// <summary>How many are missing; less whenever one comes.</summary>
        public int Missing => Volatile.Read(ref _missing);

        public Task All => _all.Task;

        public void Expect() => Interlocked.Increment(ref _missing);

        public void Arrive()
        {
            if (Interlocked.Decrement(ref _missing) == 0)
            {
                _all.SetResult();
            }
        }
    }

    /// <summary>The right of one fork to be started, until it stands or has failed.</summary>
    internal sealed class Turn(SemaphoreSlim turns, Meeting meeting, TimeProvider time) : IDisposable
    {
        private bool _isOver;

        /// <summary>It stands, so another one may start; returns when all of its group do, none has come for a while, or it is cancelled.</summary>
        public async Task MeetAsync(CancellationToken cancellation)
        {
            Dispose();
            for (var seen = int.MaxValue; !meeting.All.IsCompleted && !cancellation.IsCancellationRequested && meeting.Missing < seen;)
            {
                seen = meeting.Missing;
                await Task.WhenAny(meeting.All, Task.Delay(s_patience, time, cancellation)).ConfigureAwait(false);
            }
        }

        public void Dispose()
        {
            if (!_isOver)
            {
                _isOver = true;
                turns.Release();
                meeting.Arrive();
            }
        }
    }
}
