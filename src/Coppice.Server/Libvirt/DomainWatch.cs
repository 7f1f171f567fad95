using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Libvirt.Wire;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Looks at all domains twice a second, and at one whenever something was done to it here, and tells what has become of them since. So it
/// does not matter who does something: a client, the command line, a guest.
/// </summary>
internal sealed class DomainWatch(Home home, Action<RemoteDomain, LifecycleChange> tell, TimeProvider time, ILogger log) : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _one = new(1);
    private ImmutableDictionary<DomainId, SeenDomain> _seen = ImmutableDictionary<DomainId, SeenDomain>.Empty;

    /// <summary>What a domain is doing, and why, if that was seen and is still so.</summary>
    public RemoteState StateOf(DomainId domain, DomainState state) =>
        _seen.GetValueOrDefault(domain) is { } seen && seen.State == state ? seen.Remote : RemoteState.Of(state);

    /// <summary>Watches until it is stopped. What is there at first is told to nobody.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        await LookAllAsync((_, _) => { }, stopping).ConfigureAwait(false);
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
        {
            await LookAllAsync(tell, stopping).ConfigureAwait(false);
        }
    }

    /// <summary>Looks at one domain, which somebody has just done something to.</summary>
    public async Task LookAsync(DomainId domain, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            Note(domain, await SeeAsync(domain, cancellation).ConfigureAwait(false), tell);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _one.Dispose();

    private async Task LookAllAsync(Action<RemoteDomain, LifecycleChange> whom, CancellationToken cancellation)
    {
        await _one.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var there = home.ReadCatalogs();
            foreach (var domain in there.Select(c => c.Domain).Concat(_seen.Keys).Distinct())
            {
                Note(domain, await SeeAsync(domain, cancellation).ConfigureAwait(false), whom);
            }
        }
        catch (CoppiceException e)
        {
            log.LogWarning("the domains could not be looked at: {Problem}", e.Message);
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
            return new SeenDomain(view.Catalog, view.Hypervisor.IsAlive ? home.ReadProcessId(view.Catalog) : null, view.Hypervisor.State);
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

    private void Note(DomainId domain, SeenDomain? now, Action<RemoteDomain, LifecycleChange> whom)
    {
        var before = _seen.GetValueOrDefault(domain);
        if (ReferenceEquals(before, now))
        {
            return;
        }

        var changes = DomainChanges.Between(before, now).ToImmutableArray();
        _seen = now is null ? _seen.Remove(domain) : _seen.SetItem(domain, now with { Remote = Reason(before, now, changes) });
        var (name, id) = (now ?? before!, now?.ProcessId ?? RemoteDomain.Off);
        foreach (var change in changes)
        {
            whom(new RemoteDomain(change == LifecycleChange.UndefinedByRename ? before!.Catalog.Name : name.Catalog.Name, domain.Value, id), change);
        }
    }

    /// <summary>Why it does what it does: by what was seen to happen, or as before, as long as it does the same.</summary>
    private static RemoteState Reason(SeenDomain? before, SeenDomain now, ImmutableArray<LifecycleChange> changes)
    {
        var last = changes.Select(RemoteState.After).OfType<RemoteState>().Select(s => (RemoteState?)s).LastOrDefault()
            ?? (before?.State == now.State ? before.Remote : null);
        return last is { } known && known.State == now.Remote.State ? known : now.Remote;
    }
}
