using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>Tells whoever watches a guest of a <see cref="FakeHost"/> what becomes of it: what differs between two states of the host.</summary>
public sealed class FakeEvents
{
    private readonly ConcurrentDictionary<ShortId, Channel<GuestEvent>> _watchers = new();

    internal async IAsyncEnumerable<GuestEvent> WatchAsync(
        ShortId process, FakeHostState now, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (!Lives(now, process))
        {
            yield break;
        }

        var told = Channel.CreateUnbounded<GuestEvent>();
        if (!_watchers.TryAdd(process, told))
        {
            throw new CoppiceException(ErrorKind.Busy, $"process {process}", "is watched already");
        }

        try
        {
            yield return new GuestEvent(GuestEventKind.Began);
            await foreach (var found in told.Reader.ReadAllAsync(cancellation))
            {
                yield return found;
            }
        }
        finally
        {
            _watchers.TryRemove(process, out _);
        }
    }

    internal void Tell(ShortId process, GuestEvent what)
    {
        if (_watchers.TryGetValue(process, out var told))
        {
            told.Writer.TryWrite(what);
        }
    }

    internal void Compare(FakeHostState before, FakeHostState now)
    {
        foreach (var (id, told) in _watchers)
        {
            foreach (var what in Differences(before.Processes.GetValueOrDefault(id), now.Processes.GetValueOrDefault(id)))
            {
                told.Writer.TryWrite(what);
            }

            var merges = before.Merges.Values.Concat(now.Merges.Values).Where(m => m.Process == id).Select(m => m.Request.Job);
            var mirrors = before.Mirrors.Values.Concat(now.Mirrors.Values).Where(m => m.Process == id).Select(m => m.Request.Job);
            foreach (var job in merges.Concat(mirrors).Distinct())
            {
                if (StateOf(now, job) is var state && state != StateOf(before, job))
                {
                    told.Writer.TryWrite(new GuestEvent(GuestEventKind.JobChanged) { Job = new JobChange(job, state) });
                }
            }

            if (!Lives(now, id))
            {
                told.Writer.TryComplete();
            }
        }
    }

    private static bool Lives(FakeHostState state, ShortId process) =>
        state.Processes.ContainsKey(process) || state.Merges.Values.Any(m => m.IsGuestless && m.Process == process);

    private static IEnumerable<GuestEvent> Differences(FakeProcess? before, FakeProcess? now)
    {
        if (before is null || now is null)
        {
            yield break;
        }

        if (before.Resets < now.Resets)
        {
            yield return new GuestEvent(GuestEventKind.Reset);
        }

        if (before.State != now.State)
        {
            yield return new GuestEvent(now.State is DomainState.Running ? GuestEventKind.Resumed : GuestEventKind.Stopped);
        }
    }

    private static MergeState StateOf(FakeHostState state, ShortId job) => state.Mirrors.GetValueOrDefault(job) is { } mirror
        ? mirror.IsReady ? MergeState.Ready : MergeState.Running
        : state.Merges.GetValueOrDefault(job) switch
    {
        null or { IsDone: true } => MergeState.Gone,
        { IsReady: true } => MergeState.Ready,
        _ => MergeState.Running,
    };
}
