using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Carries out what puts merges on record, and waits for them if asked. An image that a user brought may be written by one, so
/// the home is held meanwhile, as while a domain is defined; the waiting happens without any lock.
/// </summary>
internal sealed class Merger(Call call, HomeFolder home, DomainFinder finder)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    public async Task<OperationResult> RunAsync(DomainRequest request)
    {
        var folder = finder.Find(request.Domain);
        var result = await PlanAsync(request, folder).ConfigureAwait(false);
        var waits = request is DeleteSnapshot { Wait: true } or CollectGarbage { Wait: true } or WaitForJobs;
        if (!waits || !result.Executed)
        {
            return result;
        }

        try
        {
            return MirrorOf(request, folder) is var (catalog, mirror)
                ? await new DiskCopier(call, home, finder).WaitAsync(folder, catalog, mirror, result).ConfigureAwait(false)
                : await WaitAsync(folder, request is WaitForJobs { Job: { } job } ? job : null, result).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            throw new CoppiceException(
                ErrorKind.Cancelled, request.Operation, "was cancelled while it waited; what was done stands, and the merges go on",
                $"see how far they are: coppice job list {result.Catalog?.Name}", e);
        }
        catch (Exception e) when (!call.Announcer.IsAbandoned)
        {
            throw Failure.Of(e, request.Operation).And("what was done before stands");
        }
    }

    /// <summary>The copy of a disk that is waited for; null if it is merges.</summary>
    private static (Catalog Catalog, DiskMirror Mirror)? MirrorOf(DomainRequest request, DomainFolder folder)
    {
        var catalog = request is WaitForJobs { Job: not null } ? new CatalogStore(folder).Read() : null;
        return catalog?.Mirrors.FirstOrDefault(m => m.Id.Value == ((WaitForJobs)request).Job) is { } mirror ? (catalog, mirror) : null;
    }

    private async Task<OperationResult> PlanAsync(DomainRequest request, DomainFolder folder)
    {
        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        if (request is WaitForJobs { Job: { } job } && MirrorOf(request, folder) is null)
        {
            _ = Jobs.Named(new CatalogStore(folder).Read(), job);
        }

        return await DomainSession.RunAsync(call, request, folder).ConfigureAwait(false);
    }

    /// <summary>
    /// Waits until the merges are done, or none can go on; finishes those that are ready and begins the next ones.
    /// </summary>
    private async Task<OperationResult> WaitAsync(DomainFolder folder, string? job, OperationResult result)
    {
        ImmutableHashSet<ShortId> stuck = [];
        while (true)
        {
            var (catalog, jobs) = await LookAsync(folder).ConfigureAwait(false);
            ImmutableArray<JobView> wanted = [.. jobs.Where(j => job is null || j.Job.Id.Value == job)];
            if (wanted.IsEmpty)
            {
                return result with { Catalog = catalog };
            }

            Tell(wanted);
            if (wanted.FirstOrDefault(j => j.Observation.State is MergeState.Failed) is { } failed)
            {
                throw Failed(failed, catalog);
            }

            var advances = jobs.Any(j => IsReady(j) && !stuck.Contains(j.Job.Id)) || !jobs.Any(IsRunning);
            if (!advances || await DomainSession.TryAdvanceAsync(call, folder).ConfigureAwait(false) is not { } next)
            {
                await Task.Delay(s_interval, call.Home.Time, call.Cancellation).ConfigureAwait(false);
                continue;
            }

            result = result.Then(next);
            if (!IsStuck(catalog, next))
            {
                continue;
            }

            // One merge of a disk runs at a time: what waits behind it may go on.
            if (!jobs.Any(j => IsRunning(j) && wanted.Any(w => w.Job.Disk == j.Job.Disk)))
            {
                return result with { Warnings = [.. result.Warnings, .. wanted.Select(Waiting)] };
            }

            stuck = [.. jobs.Where(IsReady).Select(j => j.Job.Id)];
        }
    }

    private async Task<(Catalog Catalog, ImmutableArray<JobView> Jobs)> LookAsync(DomainFolder folder)
    {
        var (catalog, definition) = new CatalogStore(folder).ReadWithDefinition();
        var hypervisor = await call.Home.Hypervisor
            .ObserveAsync(folder, catalog.Head.Process, definition, catalog.Written, call.Cancellation).ConfigureAwait(false);
        var view = new DomainView(folder, catalog, definition, hypervisor);
        return (catalog, await JobView.OfAsync(view, catalog.Jobs, call.Home.Hypervisor, call.Cancellation).ConfigureAwait(false));
    }

    private static bool IsReady(JobView job) => job.Observation.State is MergeState.Ready;

    private static bool IsRunning(JobView job) => job.Observation.State is MergeState.Running;

    private static bool IsStuck(Catalog before, OperationResult next) =>
        next.Steps.IsEmpty || (next.Steps.Any(s => s.Report.Warning is not null) && next.Catalog?.Jobs.Length == before.Jobs.Length);

    private void Tell(ImmutableArray<JobView> jobs)
    {
        foreach (var job in jobs.Where(j => IsRunning(j) || IsReady(j)))
        {
            call.Announcer.Tell(new OperationEvent(
                OperationPoint.JobProgressed, job.Job.Id, Progress: new StepProgress(job.Observation.Done, job.Observation.Total))
            {
                Job = job.Job,
            });
        }
    }

    private static string Waiting(JobView job)
    {
        var again = IsReady(job) ? "all is copied, and it could not be finished" : "it could not be begun";
        return $"merge {job.Job.Id} of disk '{job.Job.Disk}' waits: {job.Waits ?? $"{again}; 'gc' tries it again"}";
    }

    /// <summary>Giving it up is offered where that is not refused.</summary>
    private static CoppiceException Failed(JobView job, Catalog catalog)
    {
        var cancel = UsersImages.Writes(LayerGraph.Of(catalog), job.Job)
            ? ""
            : $"; or give it up: coppice job cancel {catalog.Name} {job.Job.Id}";
        return new CoppiceException(
            ErrorKind.Storage, $"merge {job.Job.Id} of disk '{job.Job.Disk}' of domain '{catalog.Name}'",
            $"has failed: {job.Observation.Error ?? "the hypervisor does not say why"}; both layers read as before",
            $"mend that and go on with: coppice gc {catalog.Name}{cancel}");
    }
}
