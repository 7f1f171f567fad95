using System.Collections.Concurrent;
using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Looks at all domains twice a second, and at one whenever something was done to it here, and tells what has become of them since; what
/// a guest does in between, its process tells. So it does not matter who does something: a client, the command line, a guest. Looks at one
/// domain come one after another; one that does not answer holds up no other.
/// </summary>
internal sealed class DomainWatch(Home home, EventPublisher events, RequestedMerges merges, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500), s_listenAgain = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<DomainId, SemaphoreSlim> _turns = new();
    private readonly ConcurrentDictionary<ShortId, Task> _listening = new();
    private readonly ConcurrentDictionary<DomainId, SeenDomain> _seen = new();

    /// <summary>The jobs that were heard to be ready, and of which nobody has been told yet.</summary>
    private readonly ConcurrentDictionary<ShortId, JobChange> _ready = new();

    /// <summary>The processes that tell what becomes of their guests.</summary>
    private readonly ConcurrentDictionary<ShortId, bool> _heard = new();

    /// <summary>What a domain is doing, and why, if that was seen and is still so.</summary>
    public RemoteState StateOf(DomainId domain, DomainState state) =>
        _seen.GetValueOrDefault(domain) is { } seen && seen.State == state ? seen.Remote : RemoteState.Of(state);

    /// <summary>What a domain is doing if that is known without asking: it is off, or its process tells whatever changes.</summary>
    public RemoteState? Known(Catalog catalog) => (catalog.Head.Process, _seen.GetValueOrDefault(catalog.Domain)) switch
    {
        (null, _) => StateOf(catalog.Domain, catalog.Head.Saved is null ? DomainState.Off : DomainState.Saved),
        ({ } process, { IsAlive: true, IsGuess: false } seen) when seen.Catalog.Head.Process == process && _heard.ContainsKey(process) => seen.Remote,
        _ => null,
    };

    /// <summary>Watches until it is stopped. What is there at first is told to nobody.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            await LookAllAsync(isFirst: true, stopping).ConfigureAwait(false);
            using var timer = new PeriodicTimer(s_interval, time);
            while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
            {
                await LookAllAsync(isFirst: false, stopping).ConfigureAwait(false);
            }
        }
        finally
        {
            await Task.WhenAll(_listening.Values).ConfigureAwait(false);
        }
    }

    /// <summary>Looks at one domain, which somebody has just done something to. What goes wrong is no matter of whoever did it.</summary>
    public Task TryLookAsync(DomainId domain, CancellationToken cancellation) => TryAsync(() => LookAsync(domain, hasEnded: false, cancellation));

    private async Task LookAllAsync(bool isFirst, CancellationToken cancellation)
    {
        ImmutableArray<Catalog> there = [];
        if (await TryAsync(() => Task.FromResult(there = home.ReadCatalogs())).ConfigureAwait(false))
        {
            if (isFirst)
            {
                foreach (var catalog in there)
                {
                    var process = home.ReadProcessId(catalog);
                    _seen[catalog.Domain] = new SeenDomain(catalog, process, process is null ? DomainState.Off : DomainState.Running) { IsGuess = true };
                }
            }

            var all = there.Select(c => c.Domain).Concat(_seen.Keys).Distinct();
            await Task.WhenAll(all.Select(d => TryLookAsync(d, cancellation))).ConfigureAwait(false);
        }
    }

    /// <summary>What goes wrong at one look is told, and the next one may do better. False if something did.</summary>
    private async Task<bool> TryAsync(Func<Task> look)
    {
        try
        {
            await look().ConfigureAwait(false);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
#pragma warning disable CA1031 // Whatever it is, nobody would be told of anything any more if it ended the watch.
        catch (Exception e)
#pragma warning restore CA1031
        {
            log.LogWarning("domains could not be looked at: {Problem}", e.Message);
            return false;
        }
    }

    /// <param name="domain">The domain.</param>
    /// <param name="hasEnded">Whoever listened to its process has heard its last.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    private Task LookAsync(DomainId domain, bool hasEnded, CancellationToken cancellation) => InTurnAsync(
        domain,
        async () =>
        {
            var now = await SeeAsync(domain, cancellation).ConfigureAwait(false);

            // Whether a guest has powered off is heard; it may not have been yet.
            var isHeard = hasEnded || _seen.GetValueOrDefault(domain) is not { IsAlive: true, Catalog.Head.Process: { } was } || !_listening.ContainsKey(was)
                || now is null || now.IsAlive || now.Catalog.Head.Process != was;
            if (isHeard)
            {
                Note(domain, now, cancellation);
            }
        },
        cancellation);

    private async Task InTurnAsync(DomainId domain, Func<Task> look, CancellationToken cancellation)
    {
        var turn = _turns.GetOrAdd(domain, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            await look().ConfigureAwait(false);
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task<SeenDomain?> SeeAsync(DomainId domain, CancellationToken cancellation)
    {
        try
        {
            var view = await home.ObserveAsync(domain.ToString(), cancellation).ConfigureAwait(false);
            return new SeenDomain(view.Catalog, view.Hypervisor.Pid, view.Hypervisor.State) { Definition = view.Definition };
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.NotFound)
        {
            return null;
        }
        catch (CoppiceException e)
        {
            // One that cannot be looked at is as it was.
            log.LogDebug("domain {Domain} could not be looked at: {Problem}", domain, e.Message);
            return _seen.GetValueOrDefault(domain);
        }
    }

    private void Note(DomainId domain, SeenDomain? now, CancellationToken cancellation)
    {
        var before = _seen.GetValueOrDefault(domain);
        if (now is { IsAlive: true, Catalog.Head.Process: { } process })
        {
            Listen(now.Catalog, process, cancellation);
        }

        // What was only guessed at first is no change.
        var changes = before is { IsGuess: true } ? [] : DomainChanges.Between(before, now).ToImmutableArray();
        if (now is null)
        {
            _seen.TryRemove(domain, out _);
        }
        else
        {
            _seen[domain] = now with { Remote = Reason(before, now, changes) };
        }

        foreach (var change in changes)
        {
            var named = change == LifecycleChange.UndefinedByRename ? before! : now ?? before!;
            events.Tell(Remote(named, now), change);
        }

        if (now is not null)
        {
            TellMore(domain, before, now);
            merges.Look(now.Catalog, Remote(now, now));
        }
    }

    /// <summary>Tells what is no change of its life.</summary>
    private void TellMore(DomainId domain, SeenDomain? before, SeenDomain now)
    {
        if (before is null or { IsGuess: true })
        {
            return;
        }

        var remote = Remote(now, now);
        foreach (var job in DomainChanges.JobsBetween(before, now).Where(j => merges.Find(domain, j.Target) is null))
        {
            events.Tell(remote, job);
        }

        foreach (var change in DomainChanges.MirrorsBetween(before, now).Concat(Ready(now)))
        {
            events.Tell(remote, change);
        }

        if (DomainChanges.SavedBetween(before, now) is { } saved)
        {
            events.Tell(remote, saved);
        }

        foreach (var note in DomainChanges.NotesBetween(before, now))
        {
            events.Tell(remote, note);
        }
    }

    /// <summary>The copies of disks that have become ready and wait for whoever has asked for them.</summary>
    private IEnumerable<BlockJobChange> Ready(SeenDomain now)
    {
        var graph = LayerGraph.Of(now.Catalog);
        return from mirror in now.Catalog.Mirrors
               where mirror.End is null && _ready.TryRemove(mirror.Id, out _)
               select new BlockJobChange(mirror.Disk, graph[mirror.Source].Path, BlockJobChange.TypeOf(mirror.Kind), BlockJobChange.Ready);
    }

    private static RemoteDomain Remote(SeenDomain named, SeenDomain? now) =>
        new(named.Catalog.Name, named.Catalog.Domain.Value, now?.ProcessId ?? RemoteDomain.Off);

    /// <summary>Why it does what it does: by what was seen to happen, or as before, as long as it does the same.</summary>
    private static RemoteState Reason(SeenDomain? before, SeenDomain now, ImmutableArray<LifecycleChange> changes)
    {
        var hasBooted = now.Catalog.Current is { } current && now.Catalog.Snapshots[current].Memory.Mode is MemoryMode.None;
        var last = changes.Select(c => RemoteState.After(c, hasBooted)).LastOrDefault(s => s is not null)
            ?? (before?.State == now.State ? before.Remote : null);
        return last is { } known && known.State == now.Remote.State ? known : now.Remote;
    }

    private void Listen(Catalog catalog, ShortId process, CancellationToken cancellation)
    {
        if (!_listening.ContainsKey(process))
        {
            _listening.TryAdd(process, ListenAsync(catalog, process, cancellation));
        }
    }

    private async Task ListenAsync(Catalog catalog, ShortId process, CancellationToken cancellation)
    {
        // Whoever begins this is looking at the domain.
        await Task.Yield();
        await TryAsync(async () =>
        {
            await foreach (var told in home.WatchAsync(catalog, cancellation).ConfigureAwait(false))
            {
                await HearAsync(catalog.Domain, process, told, cancellation).ConfigureAwait(false);
                _heard[process] = true;
            }

            // Its process has ended, or tells nothing.
            _heard.TryRemove(process, out _);
            await LookAsync(catalog.Domain, hasEnded: true, cancellation).ConfigureAwait(false);
        }).ConfigureAwait(false);
        _heard.TryRemove(process, out _);

        // One that somebody else listens to, or that tells nothing, is not asked again at once.
        await TryAsync(() => Task.Delay(s_listenAgain, time, cancellation)).ConfigureAwait(false);
        _listening.TryRemove(process, out _);
    }

    private async Task HearAsync(DomainId domain, ShortId process, GuestEvent told, CancellationToken cancellation)
    {
        if (told.Job is { State: MergeState.Ready } ready)
        {
            // It may be ready before it is on record: whoever puts it there looks again.
            _ready.TryAdd(ready.Id, ready);
        }
        else if (told.Job is { State: MergeState.Gone } gone)
        {
            _ready.TryRemove(gone.Id, out _);
        }

        if (told.Kind is GuestEventKind.Began or GuestEventKind.JobChanged)
        {
            await LookAsync(domain, hasEnded: false, cancellation).ConfigureAwait(false);
            return;
        }

        await InTurnAsync(
            domain,
            () =>
            {
                // A process that was left tells on until it ends.
                if (_seen.GetValueOrDefault(domain) is { IsAlive: true } seen && seen.Catalog.Head.Process == process)
                {
                    Hear(domain, seen, told, cancellation);
                }

                return Task.CompletedTask;
            },
            cancellation).ConfigureAwait(false);
    }

    private void Hear(DomainId domain, SeenDomain seen, GuestEvent told, CancellationToken cancellation)
    {
        switch (told)
        {
            case { Kind: GuestEventKind.Reset }:
                events.TellReboot(Remote(seen, seen));
                break;
            case { Kind: GuestEventKind.PoweredOff }:
                _seen[domain] = seen with { HasPoweredOff = told.ByGuest };
                break;
            case { Kind: GuestEventKind.DiskFailed, Failure: { } failure }:
                var head = seen.Catalog.Head.Disks.FirstOrDefault(d => d.Target == failure.Target);
                events.Tell(Remote(seen, seen), head is null ? "" : LayerGraph.Of(seen.Catalog)[head.Layer].Path, failure);
                if (failure.Action is FailureAction.Stopped)
                {
                    Note(domain, seen.Doing(DomainState.IoError), cancellation);
                }

                break;
            default:
                if (StateAfter(told.Kind, seen.State) is { } state)
                {
                    Note(domain, seen.Doing(state), cancellation);
                }

                break;
        }
    }

    private static DomainState? StateAfter(GuestEventKind kind, DomainState before) => kind switch
    {
        GuestEventKind.Resumed or GuestEventKind.WokenUp => DomainState.Running,
        GuestEventKind.Suspended => DomainState.Suspended,
        GuestEventKind.Panicked => DomainState.Crashed,

        // What stopped it may have been told before, and says more.
        GuestEventKind.Stopped when before is DomainState.Running => DomainState.Paused,
        _ => null,
    };
}
