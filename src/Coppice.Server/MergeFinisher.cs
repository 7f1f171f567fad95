using System.Collections.Concurrent;
using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Microsoft.Extensions.Logging;

namespace Coppice.Server;

/// <summary>
/// Finishes merges that are ready, and copies of disks as it was said how. Without a server whoever comes next does so, which may be in a week: until then a disk is on two layers
/// where one would do.
/// </summary>
internal sealed class MergeFinisher(Home home, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1), s_afterFailure = TimeSpan.FromMinutes(1);

    /// <summary>Those that could not be finished, and when.</summary>
    private readonly ConcurrentDictionary<ShortId, long> _failed = new();

    /// <summary>Looks at all merges once a second, until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
        {
            // One that does not answer keeps no other waiting.
            await Task.WhenAll(Catalogs().Select(c => LookAsync(c, stopping))).ConfigureAwait(false);
        }
    }

    private ImmutableArray<Catalog> Catalogs()
    {
        try
        {
            return [.. home.ReadCatalogs().Where(c => !c.Jobs.IsEmpty || !c.Mirrors.IsEmpty)];
        }
        catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
        {
            log.LogWarning("merges could not be looked at: {Problem}", e.Message);
            return [];
        }
    }

    /// <summary>A guest may wait for the end of a copy, and for no merge.</summary>
    private async Task LookAsync(Catalog catalog, CancellationToken stopping)
    {
        try
        {
            // Processes are asked only where there is something to ask of.
            await (catalog.Mirrors.IsEmpty ? Task.CompletedTask : EndAsync(catalog, stopping)).ConfigureAwait(false);
            await (catalog.Jobs.IsEmpty ? Task.CompletedTask : FinishAsync(catalog, stopping)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
        {
            log.LogWarning("merges of domain '{Domain}' could not be looked at: {Problem}", catalog.Name, e.Message);
        }
    }

    private async Task FinishAsync(Catalog catalog, CancellationToken stopping)
    {
        var domain = catalog.Domain.ToString();
        var jobs = await home.ReadJobsAsync(domain, null, stopping).ConfigureAwait(false);
        foreach (var job in jobs.Where(j => j.Observation.State is MergeState.Ready).Select(j => j.Job.Id).Where(IsDue))
        {
            await TryAsync(catalog, job, new FinishJob(domain, job), stopping).ConfigureAwait(false);
        }
    }

    /// <summary>One that has failed, or has ended with its process, is taken off the record.</summary>
    private async Task EndAsync(Catalog catalog, CancellationToken stopping)
    {
        var domain = catalog.Domain.ToString();
        foreach (var found in await home.ReadMirrorsAsync(domain, stopping).ConfigureAwait(false))
        {
            if (found.Mirror.Due(found.Observation.State) is { } how && IsDue(found.Mirror.Id))
            {
                await TryAsync(catalog, found.Mirror.Id, new EndMirror(domain, found.Mirror.Id.Value, how), stopping).ConfigureAwait(false);
            }
        }
    }

    private async Task TryAsync(Catalog catalog, ShortId job, DomainRequest request, CancellationToken stopping)
    {
        try
        {
            await home.RunAsync(request, new RunOptions { LockWait = TimeSpan.Zero }, stopping).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Busy or ErrorKind.NotFound)
        {
            // Whoever holds the domain finishes it, or has.
        }
        catch (CoppiceException e)
        {
            _failed[job] = time.GetTimestamp();
            log.LogWarning("job {Job} of domain '{Domain}' could not be finished: {Problem}", job, catalog.Name, e.Message);
        }
    }

    private bool IsDue(ShortId job) => !_failed.TryGetValue(job, out var at) || time.GetElapsedTime(at) > s_afterFailure;
}
