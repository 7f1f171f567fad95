using System.Collections.Concurrent;
using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Looks at all domains twice a second, and at one whenever something was done to it here, and tells what has become of them since; what
/// a guest does in between, its process tells. So it does not matter who does something: a client, the command line, a guest.
/// </summary>
internal sealed class DomainWatch(Home home, EventPublisher events, RequestedMerges merges, TimeProvider time, ILogger log) : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _one = new(1);
    private readonly ConcurrentDictionary<ShortId, Task> _listening = new();
    private ImmutableDictionary<DomainId, SeenDomain> _seen = ImmutableDictionary<DomainId, SeenDomain>.Empty;

    /// <summary>What a domain is doing, and why, if that was seen and is still so.</summary>
    public RemoteState StateOf(DomainId domain, DomainState state) =>
        _seen.GetValueOrDefault(domain) is { } seen && seen.State == state ? seen.Remote : RemoteState.Of(state);

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

    /// <summary>Looks at one domain, which somebody has just done something to.</summary>
    public Task LookAsync(DomainId domain, CancellationToken cancellation) => AloneAsync(
        async () => Note(domain, await SeeAsync(domain, cancellation).ConfigureAwait(false), cancellation), cancellation);

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private Task LookAllAsync(bool isFirst, CancellationToken cancellation) => AloneAsync(
        async () =>
        {
            try
            {
                var there = home.ReadCatalogs();
                foreach (var domain in there.Select(c => c.Domain).Concat(_seen.Keys).Distinct())
                {
                    var seen = await SeeAsync(domain, cancellation).ConfigureAwait(false);
                    if (isFirst && seen is not null)
                    {
                        _seen = _seen.SetItem(domain, seen);
                    }

                    Note(domain, seen, cancellation);
                }
            }
            catch (CoppiceException e)
            {
                log.LogWarning("the domains could not be looked at: {Problem}", e.Message);
            }
        },
        cancellation);

    private async Task AloneAsync(Func<Task> look, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            await look().ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<SeenDomain?> SeeAsync(DomainId domain, CancellationToken cancellation)
    {
        try
        {
            var view = await home.ObserveAsync(domain.ToString(), cancellation).ConfigureAwait(false);
            return new SeenDomain(view.Catalog, view.Hypervisor.Pid, view.Hypervisor.State);
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

        var changes = DomainChanges.Between(before, now).ToImmutableArray();
        _seen = now is null ? _seen.Remove(domain) : _seen.SetItem(domain, now with { Remote = Reason(before, now, changes) });
        foreach (var change in changes)
        {
            var named = change == LifecycleChange.UndefinedByRename ? before! : now ?? before!;
            events.Tell(Remote(named, now), change);
        }

        foreach (var job in before is null || now is null ? [] : DomainChanges.JobsBetween(before, now).Where(j => merges.Find(domain, j.Target) is null))
        {
            events.Tell(Remote(now!, now), job);
        }

        if (now is not null)
        {
            merges.Look(now.Catalog, Remote(now, now));
        }
    }

    private static RemoteDomain Remote(SeenDomain named, SeenDomain? now) =>
        new(named.Catalog.Name, named.Catalog.Domain.Value, now?.ProcessId ?? RemoteDomain.Off);

    /// <summary>Why it does what it does: by what was seen to happen, or as before, as long as it does the same.</summary>
    private static RemoteState Reason(SeenDomain? before, SeenDomain now, ImmutableArray<LifecycleChange> changes)
    {
        var hasBooted = now.Catalog.Current is { } current && now.Catalog.Snapshots[current].Memory.Mode is MemoryMode.None;
        var last = changes.Select(c => RemoteState.After(c, hasBooted)).LastOrDefault(s => s is not null) ?? (before?.State == now.State ? before.Remote : null);
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
        try
        {
            await foreach (var told in home.WatchAsync(catalog, cancellation).ConfigureAwait(false))
            {
                await HearAsync(catalog.Domain, process, told, cancellation).ConfigureAwait(false);
            }

            // Its process has ended, which the next look would find too.
            await LookAsync(catalog.Domain, cancellation).ConfigureAwait(false);
            _listening.TryRemove(process, out _);
        }
        catch (Exception e) when (e is CoppiceException or OperationCanceledException)
        {
            // Then it is looked at, as one that tells nothing.
            log.LogDebug("what becomes of domain {Domain} is not heard: {Problem}", catalog.Name, e.Message);
        }
    }

    private async Task HearAsync(DomainId domain, ShortId process, GuestEvent told, CancellationToken cancellation)
    {
        if (told.Kind is GuestEventKind.Began or GuestEventKind.JobChanged or GuestEventKind.PoweredOff)
        {
            await LookAsync(domain, cancellation).ConfigureAwait(false);
            return;
        }

        await AloneAsync(
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
            case { Kind: GuestEventKind.DiskFailed, Failure: { } failure }:
                var head = seen.Catalog.Head.Disks.FirstOrDefault(d => d.Target == failure.Target);
                events.Tell(Remote(seen, seen), head is null ? "" : LayerGraph.Of(seen.Catalog)[head.Layer].Path, failure);
                if (failure.Action is FailureAction.Stopped)
                {
                    Note(domain, seen with { State = DomainState.IoError, Remote = RemoteState.Of(DomainState.IoError) }, cancellation);
                }

                break;
            default:
                if (StateAfter(told.Kind, seen.State) is { } state)
                {
                    Note(domain, seen with { State = state, Remote = RemoteState.Of(state) }, cancellation);
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
