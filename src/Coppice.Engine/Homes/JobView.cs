using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>A merge as a reader sees it.</summary>
/// <param name="Job">What is on record.</param>
/// <param name="Lower">The lower layer.</param>
/// <param name="Upper">The upper one.</param>
/// <param name="Observation">What its process says.</param>
/// <param name="Waits">Why it has to wait, if it does and nothing else of its disk is being merged.</param>
public sealed record JobView(MergeJob Job, Layer Lower, Layer Upper, MergeObservation Observation, string? Waits)
{
    /// <summary>Asks the processes about jobs.</summary>
    internal static async Task<ImmutableArray<JobView>> OfAsync(
        DomainView view, ImmutableArray<MergeJob> jobs, IHypervisor hypervisor, CancellationToken cancellation)
    {
        var graph = LayerGraph.Of(view.Catalog);
        return
        [
            .. await Task.WhenAll(jobs.Select(async job =>
            {
                var observed = job.Process is { } process
                    ? await hypervisor.ObserveMergeAsync(view.Folder, process, job.Id, cancellation).ConfigureAwait(false)
                    : MergeObservation.Gone(job.Id);
                var waits = observed.State is MergeState.Gone ? Merging.ReasonToWait(view.Catalog, job, view.Hypervisor) : null;
                return new JobView(job, graph[job.Lower], graph[job.Upper], observed, waits);
            })).ConfigureAwait(false),
        ];
    }
}
