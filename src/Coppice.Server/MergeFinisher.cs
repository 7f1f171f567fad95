using Coppice.Core;
using Coppice.Engine;
using Microsoft.Extensions.Logging;

namespace Coppice.Server;

/// <summary>
/// Finishes merges that are ready. Without a server whoever comes next does so, which may be in a week: until then a disk is on two layers
/// where one would do.
/// </summary>
internal sealed class MergeFinisher(Home home, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1), s_afterFailure = TimeSpan.FromMinutes(1);

    /// <summary>Those that could not be finished, and when.</summary>
    private readonly Dictionary<ShortId, long> _failed = [];

    /// <summary>Looks at all merges once a second, until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
        {
            try
            {
                foreach (var catalog in home.ReadCatalogs().Where(c => !c.Jobs.IsEmpty))
                {
                    await FinishAsync(catalog, stopping).ConfigureAwait(false);
                }
            }
            catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
            {
                log.LogWarning("merges could not be looked at: {Problem}", e.Message);
            }
        }
    }

    private async Task FinishAsync(Catalog catalog, CancellationToken stopping)
    {
        var domain = catalog.Domain.ToString();
        var jobs = await home.ReadJobsAsync(domain, null, stopping).ConfigureAwait(false);
        foreach (var job in jobs.Where(j => j.Observation.State is MergeState.Ready).Select(j => j.Job.Id).Where(IsDue))
        {
            try
            {
                await home.RunAsync(new FinishJob(domain, job), new RunOptions { LockWait = TimeSpan.Zero }, stopping).ConfigureAwait(false);
            }
            catch (CoppiceException e) when (e.Kind is ErrorKind.Busy or ErrorKind.NotFound)
            {
                // Whoever holds the domain finishes it, or has.
                continue;
            }
            catch (CoppiceException e)
            {
                _failed[job] = time.GetTimestamp();
                log.LogWarning("merge {Job} of domain '{Domain}' could not be finished: {Problem}", job, catalog.Name, e.Message);
            }
        }
    }

    private bool IsDue(ShortId job) => !_failed.TryGetValue(job, out var at) || time.GetElapsedTime(at) > s_afterFailure;
}
