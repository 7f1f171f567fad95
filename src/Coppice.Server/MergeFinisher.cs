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
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    /// <summary>Looks at all merges once a second, until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(s_interval, time);
        while (await timer.WaitForNextTickAsync(stopping).ConfigureAwait(false))
        {
            foreach (var catalog in home.ReadCatalogs().Where(c => !c.Jobs.IsEmpty))
            {
                await FinishAsync(catalog, stopping).ConfigureAwait(false);
            }
        }
    }

    private async Task FinishAsync(Catalog catalog, CancellationToken stopping)
    {
        var domain = catalog.Domain.ToString();
        try
        {
            foreach (var job in await home.ReadJobsAsync(domain, null, stopping).ConfigureAwait(false))
            {
                if (job.Observation.State is MergeState.Ready)
                {
                    await home.RunAsync(new FinishJob(domain, job.Job.Id), new RunOptions { LockWait = TimeSpan.Zero }, stopping).ConfigureAwait(false);
                }
            }
        }
        catch (CoppiceException e)
        {
            // Whoever holds the domain finishes them, or the next look does.
            log.LogDebug("merges of domain {Domain} could not be finished: {Problem}", catalog.Name, e.Message);
        }
    }
}
