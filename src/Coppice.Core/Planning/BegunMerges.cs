using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Which of the merges of a catalog are begun once it is committed: one of each disk, where nothing keeps it from running, and none
/// on layers that another one writes.
/// </summary>
internal sealed class BegunMerges
{
    private readonly Observed _observed;
    private readonly IHypervisor _hypervisor;
    private readonly Catalog _next;
    private readonly LayerGraph _graph;
    private readonly ShortId? _live;

    /// <param name="observed">What was observed.</param>
    /// <param name="hypervisor">Makes the steps.</param>
    /// <param name="next">The catalog as it will be.</param>
    /// <param name="jobs">Its jobs; those without a process, or whose process has not got them, wait.</param>
    public BegunMerges(Observed observed, IHypervisor hypervisor, Catalog next, IEnumerable<MergeJob> jobs)
    {
        (_observed, _hypervisor, _next, _graph) = (observed, hypervisor, next, LayerGraph.Of(next));
        _live = observed.LiveAfter(next.Head);
        var unnamed = Merging.UnnamedIn(observed, next);
        var (runs, waits) = (jobs.Where(Runs).ToArray(), jobs.Where(j => !Runs(j)).ToArray());
        var reasons =
            from job in waits
            let pair = unnamed.FirstOrDefault(u => u.IsOf(job))
            let reason = pair is null ? "what was to be merged is gone, has a name again, or is built upon by others too" : pair.Against(job.Direction)?.Problem
            where reason is not null
            select (Job: job, Reason: reason);
        var against = reasons.ToArray();
        var torn = UsersImages.Torn(observed);
        var stay = against.Where(d => torn.Contains(d.Job.Id) && unnamed.Any(u => u.IsOf(d.Job))).Select(d => d.Job).ToArray();
        Dropped = [.. against.Where(d => !stay.Contains(d.Job))];
        var busy = runs.Select(j => j.Disk).ToHashSet(StringComparer.Ordinal);
        var (after, steps) = (new List<MergeJob>(), new List<Step>());
        foreach (var job in jobs.Where(j => !Dropped.Any(d => d.Job == j)))
        {
            var isFree = !stay.Contains(job) && !Runs(job) && !busy.Contains(job.Disk) && !runs.Any(r => Meets(r, job)) && ReasonToWait(job) is null;
            after.Add(isFree ? Begin(job, steps) : job);
            if (isFree)
            {
                busy.Add(job.Disk);
                runs = [.. runs, job];
            }
        }

        (Jobs, Steps) = ([.. after], [.. steps]);
    }

    /// <summary>The jobs that stay, those that are begun with their process.</summary>
    public ImmutableArray<MergeJob> Jobs { get; }

    /// <summary>Those that cannot be merged any more, and why.</summary>
    public ImmutableArray<(MergeJob Job, string Reason)> Dropped { get; }

    /// <summary>Clean-up steps that begin them.</summary>
    public ImmutableArray<Step> Steps { get; }

    private string? ReasonToWait(MergeJob job) => _live is null
        ? null
        : Merging.ReasonToWait(_next, job, _live == _observed.Catalog.Head.Process ? _observed.Hypervisor : new() { State = DomainState.Running, IsAlive = true });

    /// <summary>Whether one writes what another reads: disks may have layers in common.</summary>
    private bool Meets(MergeJob one, MergeJob other) => BuildsOn(one, other) || BuildsOn(other, one);

    private bool BuildsOn(MergeJob job, MergeJob other) =>
        _graph.Chain(job.Upper).Any(l => l.Id == other.Upper || l.Id == other.Lower);

    private bool Runs(MergeJob job) =>
        job.Process is not null && _observed.Merges.GetValueOrDefault(job.Id) is { State: MergeState.Running or MergeState.Ready };

    private MergeJob Begin(MergeJob job, List<Step> steps)
    {
        var isOpen = _live is not null && _next.Head.Disks.Any(d => _graph.Chain(d.Layer).Any(l => l.Id == job.Upper));
        if (Merging.IsGuestless(_next, job))
        {
            // It failed there, or its process has ended.
            steps.Add(_hypervisor.HaltMerge(job.Process!.Value, job.Id, guestless: true));
        }

        var process = isOpen ? _live!.Value : _observed.Ids.NextShort();
        var bytes = _observed.MergeCosts.GetValueOrDefault(job.Lower)?.Cost is not { } cost ? default
            : job.Direction is MergeDirection.Commit ? cost.Commit : cost.Stream;
        steps.Add(_hypervisor.BeginMerge(process, Merging.RequestOf(job, _graph, _next.Head, !isOpen), !isOpen) with
        {
            Files = [new FileChange(FileEffect.Change, _graph[job.Kept].Path, bytes)],
        });
        return job with { Process = process, HasBegun = true };
    }
}
