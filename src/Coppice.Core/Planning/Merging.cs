using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Merges and the other operations of a domain. Whatever moves layers, or starts or ends a process, halts the merges that run and
/// begins them again afterwards, where that can be; what no longer can be merged is taken off the record.
/// </summary>
public static class Merging
{
    /// <summary>
    /// Whether a request of a kind gets along with merges that run: it concerns nothing that they use, or is about them.
    /// </summary>
    public static bool LetsRun(Request request) => IsUnconcerned(request)
        || request is WaitForJobs or CancelJobs or CollectGarbage or ForkSnapshot or ExportDomain;

    /// <summary>Whether those that are ready need not be finished before a request of a kind is planned.</summary>
    public static bool IsUnconcerned(Request request) => request is FinishJob or RenameLayer or PauseDomain or ResumeDomain or StopDomain or KillDomain
        or RebootDomain or ResetDomain or SetLink or RenewCard or RenameDomain or EditDomain or RedefineRunning or PersistDomain or ReleaseDomain or SetAutostart or EditSnapshot or SetCurrentSnapshot;

    /// <summary>A plan that halts the merges that run, and begins after its commit those that can be begun.</summary>
    /// <exception cref="CoppiceException">It would leave an image of the user half written
    /// (<see cref="ErrorKind.WrongState"/>).</exception>
    public static Plan Around(Observed observed, IHypervisor hypervisor, Plan plan)
    {
        ArgumentNullException.ThrowIfNull(observed);
        ArgumentNullException.ThrowIfNull(plan);
        var acts = plan.Commit is not null || !plan.Steps.IsEmpty;
        return acts ? With(observed, hypervisor, plan, observed.Catalog.Jobs) : plan;
    }

    /// <summary>Why a merge has to wait although nothing else of its disk is merged; null if it has not.</summary>
    public static string? ReasonToWait(Catalog catalog, MergeJob job, HypervisorObservation observation)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(job);
        ArgumentNullException.ThrowIfNull(observation);
        if (!observation.IsAlive)
        {
            return null;
        }

        // QEMU would name what stays in the header of each image that built on what goes, and knows one name for all of them.
        var graph = LayerGraph.Of(catalog);
        var built = catalog.Head.Disks.Where(d => graph.Chain(d.Layer).Any(l => l.Id == job.Upper)).Select(d => d.Target).ToArray();
        var head = catalog.Head.Disks.FirstOrDefault(d => d.Target == job.Disk);
        return built.Length > 1 ? $"disks {string.Join(" and ", built)} build on what is merged; it is when the domain is off"
            : head is null ? null
            : catalog.HeadMirrors.FirstOrDefault(m => graph.Chain(m.Source).Any(l => l.Id == job.Upper || l.Id == job.Lower)) is { } mirror
                ? $"disk '{mirror.Disk}' is being copied ({mirror.Id})"
            : observation.Unplugged.Contains(head.Target) ? $"disk '{head.Target}' is gone from its guest"
            : head.Layer == job.Upper && job.Direction is MergeDirection.Commit ? "the guest writes to what is merged; it is when the domain is off"
            : null;
    }

    /// <summary>
    /// Refuses to share layers that a merge on record is about: neither data nor header of what is shared is written.
    /// </summary>
    /// <param name="context">The domain that has them.</param>
    /// <param name="disks">The disks of a snapshot. What it did not keep is shared too where it is only read.</param>
    /// <exception cref="CoppiceException">There is one (<see cref="ErrorKind.WrongState"/>).</exception>
    internal static void RequireNoneOf(PlanContext context, IEnumerable<DiskSnapshot> disks) =>
        RequireNoneOf(context, context.Graph, disks, "cannot be shared meanwhile");

    /// <summary>Refuses to name layers that a merge on record is about, or is to be.</summary>
    /// <param name="context">The domain that has them.</param>
    /// <param name="graph">The layers.</param>
    /// <param name="disks">The disks of a snapshot.</param>
    /// <param name="problem">What cannot be done.</param>
    /// <exception cref="CoppiceException">There is one (<see cref="ErrorKind.WrongState"/>).</exception>
    internal static void RequireNoneOf(PlanContext context, LayerGraph graph, IEnumerable<DiskSnapshot> disks, string problem)
    {
        var shared = disks.Where(d => graph.Has(d.Layer)).SelectMany(d => graph.Chain(d.Layer)).Select(l => l.Id).ToHashSet();
        RequireNone(context.Catalog, context.Graph, j => shared.Contains(j.Lower) || shared.Contains(j.Upper), problem);
    }

    /// <summary>Refuses to use images that a merge of the domain that has them is about.</summary>
    /// <param name="catalog">The domain that has them.</param>
    /// <param name="images">Their paths.</param>
    /// <param name="problem">What cannot be done.</param>
    /// <exception cref="CoppiceException">There is one (<see cref="ErrorKind.WrongState"/>).</exception>
    public static void RequireNoneOf(Catalog catalog, IReadOnlySet<string> images, string problem)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(images);
        var graph = LayerGraph.Of(catalog);
        RequireNone(catalog, graph, j => images.Contains(graph[j.Lower].Path) || images.Contains(graph[j.Upper].Path), problem);
    }

    private static void RequireNone(Catalog catalog, LayerGraph graph, Func<MergeJob, bool> which, string problem)
    {
        if (catalog.Jobs.FirstOrDefault(which) is { } job)
        {
            var cancel = UsersImages.Writes(graph, job) ? "" : $"; or give it up: coppice job cancel {catalog.Name} {job.Id}";
            throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{job.Disk}' of domain '{catalog.Name}'", $"is being merged ({job.Id}), and {problem}",
                $"wait for it: coppice job wait {catalog.Name}{cancel}");
        }
    }

    /// <summary>Steps that halt the merges of a domain that is to be forgotten.</summary>
    public static ImmutableArray<Step> Halted(Catalog catalog, IHypervisor hypervisor)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        return [.. catalog.Jobs.Where(j => j.Process is not null).Select(j => Halt(catalog, hypervisor, j))];
    }

    /// <summary>A plan that lets merges run, and begins those that wait and can be begun.</summary>
    internal static Plan Begin(PlanContext context, Plan plan) => With(context.Observed, context.Hypervisor, plan, []);

    /// <summary>Finishes a merge that is ready; does nothing if it is not, or not any more.</summary>
    internal static Plan Finish(PlanContext context, FinishJob request)
    {
        if (context.Catalog.Jobs.FirstOrDefault(j => j.Id == request.Job) is not { Process: { } process } job
            || context.Observed.Merges.GetValueOrDefault(job.Id) is not { State: MergeState.Ready })
        {
            return context.Plan("nothing to do");
        }

        var guestless = IsGuestless(context.Catalog, job);
        var merge = RequestOf(job, context.Graph, context.Catalog.Head, guestless);
        var (lower, upper) = (context.Graph[job.Lower], context.Graph[job.Upper]);
        var inChain = merge.Chain.Select(l => l.Id).ToHashSet();
        var others = job.Direction is MergeDirection.Commit ? context.Graph.BuiltOn(upper.Id).Where(l => !inChain.Contains(l.Id)) : [];
        var reclaimed = Reclaiming.After(
            context.Observed, context.Hypervisor, context.Storage, MergedCatalog.After(context.Catalog, job));
        return Begin(context, context.Plan($"{NewMerges.Word(job.Direction)} of disk '{job.Disk}'") with
        {
            Prepare = [.. others.Select(l => context.Storage.Relink(l, upper, lower))],
            Switch = context.Hypervisor.FinishMerge(process, merge),
            Commit = reclaimed.Change,
            CleanUp = [.. guestless ? [context.Hypervisor.End(process)] : Array.Empty<Step>(), .. reclaimed.Removals],
            Warnings = [.. OutsideChanges.Warnings(context)],
        });
    }

    /// <summary>Gives merges up, and copies of disks. The layers read as before, and stay.</summary>
    /// <exception cref="CoppiceException">One writes an image of the user (<see cref="ErrorKind.WrongState"/>).</exception>
    internal static Plan Cancel(PlanContext context, CancelJobs request)
    {
        ImmutableArray<DiskMirror> mirrors = [.. context.Catalog.Mirrors.Where(m => request.Job is null || m.Id.Value == request.Job)];
        var jobs = mirrors.IsEmpty || request.Job is null ? Jobs.Named(context.Catalog, request.Job) : [];
        if (jobs.IsEmpty && mirrors.IsEmpty)
        {
            return context.Plan("nothing to do");
        }

        if (UsersImages.AgainstLeaving(context.Observed, jobs) is { } torn)
        {
            throw torn;
        }

        var change = context.NoChange with
        {
            DropJobs = [.. jobs.Select(j => j.Id)],
            Refrozen = [.. jobs.SelectMany(j => MergedCatalog.Rewritten(context.Catalog, j)).Distinct()],
        };
        var plan = mirrors.IsEmpty
            ? context.Plan("halt, and keep both layers") with { Commit = change }
            : Mirroring.Discarded(context, change, mirrors);
        var halts = jobs.Where(j => j.Process is not null).Select(j => Halt(context.Catalog, context.Hypervisor, j));
        return Begin(context, plan with { Prepare = [.. halts, .. plan.Prepare] });
    }

    /// <summary>Whether a merge runs in a process that has no guest.</summary>
    internal static bool IsGuestless(Catalog catalog, MergeJob job) =>
        job.Process is not null && job.Process != catalog.Head.Process;

    /// <summary>Halts a merge, and ends its process if that has no guest.</summary>
    internal static Step Halt(Catalog catalog, IHypervisor hypervisor, MergeJob job) =>
        hypervisor.HaltMerge(job.Process!.Value, job.Id, IsGuestless(catalog, job));

    /// <summary>
    /// The layers that have no name in a catalog, as far as what was observed tells. What a plan makes has one name.
    /// </summary>
    internal static ImmutableArray<UnnamedLayer> UnnamedIn(Observed observed, Catalog catalog)
    {
        var known = LayerGraph.Of(observed.Catalog);
        var made = LayerGraph.Of(catalog).All.Where(l => !known.Has(l.Id) && !observed.Files.ContainsKey(l.Path))
            .DistinctBy(l => l.Path).Select(l => KeyValuePair.Create(l.Path, new FileObservation(l.Path, default)));
        return new UnnamedLayers(catalog, observed.Files.AddRange(made), observed.UsedElsewhere).Find();
    }

    private static Plan With(Observed observed, IHypervisor hypervisor, Plan plan, ImmutableArray<MergeJob> halted)
    {
        var catalog = observed.Catalog;
        var commit = plan.Commit ?? new CatalogChange { Head = catalog.Head, Current = catalog.Current };
        var next = commit.ApplyTo(catalog, catalog.Last);
        if (next.Jobs.IsEmpty && halted.All(j => j.Process is null))
        {
            return plan;
        }

        var stopped = halted.Where(j => j.Process is not null).ToImmutableArray();
        var jobs = next.Jobs.Select(j => stopped.Any(h => h.Id == j.Id) ? j with { Process = null } : j).ToArray();
        var begun = new BegunMerges(observed, hypervisor, next, jobs);
        if (UsersImages.AgainstLeaving(observed, begun.Dropped.Select(d => d.Job)) is { } torn)
        {
            throw torn;
        }

        var dropped = begun.Dropped.Select(d => d.Job).Where(j => catalog.Jobs.Any(old => old.Id == j.Id)).ToArray();
        var changed = begun.Jobs.Where(j => !catalog.Jobs.Contains(j)).ToImmutableArray();
        var isSame = plan.Commit is null && changed.IsEmpty && begun.Dropped.IsEmpty;
        return plan with
        {
            Prepare = [.. stopped.Select(j => Halt(catalog, hypervisor, j)), .. plan.Prepare],
            Commit = isSame ? null : commit with
            {
                PutJobs = changed,
                DropJobs = [.. commit.DropJobs, .. begun.Dropped.Select(d => d.Job.Id)],
                Refrozen = [.. commit.Refrozen.Union(dropped.SelectMany(j => MergedCatalog.Rewritten(catalog, j)))],
            },
            RollForward = plan.RollForward is { } forward && !stopped.IsEmpty
                ? forward with { PutJobs = [.. forward.PutJobs, .. stopped.Select(j => j with { Process = null })] }
                : plan.RollForward,
            CleanUp = [.. plan.CleanUp, .. begun.Steps],
            Warnings =
            [
                .. plan.Warnings,
                .. begun.Dropped.Select(d => $"merge {d.Job.Id} of disk '{d.Job.Disk}' is taken off the record: {d.Reason}"),
            ],
        };
    }

    /// <summary>What the hypervisor is asked to do.</summary>
    internal static MergeRequest RequestOf(MergeJob job, LayerGraph graph, Head head, bool guestless)
    {
        var top = guestless ? job.Upper : head.Disks.First(d => graph.Chain(d.Layer).Any(l => l.Id == job.Upper)).Layer;
        return new MergeRequest(job.Id, graph.Chain(top), job.Lower, job.Upper, job.Direction);
    }
}
