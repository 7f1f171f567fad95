using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The jobs of a domain that whoever holds its lock looks after before anything else: copies of disks to end, merges to finish, merged layers
/// to name. Each is an operation of its own; one that fails keeps nothing else from being done.
/// </summary>
internal sealed class PendingJobs(Call call, DomainFolder folder, CatalogStore store)
{
    /// <summary>The steps that were carried out.</summary>
    public ImmutableArray<StepRun> Finished { get; private set; } = [];

    /// <summary>What became of them, or will.</summary>
    public ImmutableArray<string> Warnings { get; private set; } = [];

    /// <summary>Does what is to be done. What is open about the catalog was settled before.</summary>
    public async Task FinishAsync()
    {
        await EndMirrorsAsync().ConfigureAwait(false);
        await FinishReadyAsync().ConfigureAwait(false);
        await RenameMergedAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Finishes the merges that are ready, each as an operation of its own. One that cannot be finished keeps nothing else from
    /// being done: it is told, and stays on record.
    /// </summary>
    private async Task FinishReadyAsync()
    {
        foreach (var job in store.Read().Jobs)
        {
            await RunFirstAsync($"merge {job.Id} was not finished", () => PlanFinishAsync(job, foreseen: null)).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Ends the copies of disks of which it was said how, once everything is copied, and takes off the record those that have failed or
    /// have ended with their process.
    /// </summary>
    private async Task EndMirrorsAsync()
    {
        foreach (var mirror in store.Read().Mirrors.Where(m => !IsAbout(m)))
        {
            await RunFirstAsync($"the copy of disk '{mirror.Disk}' ({mirror.Id}) was not ended", () => PlanEndAsync(mirror, foreseen: null)).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the request itself says how a copy ends.</summary>
    private bool IsAbout(DiskMirror mirror) => call.Request switch
    {
        CancelJobs cancel => cancel.Job is null || cancel.Job == mirror.Id.Value,
        EndMirror end => end.Job == mirror.Id.Value,
        _ => false,
    };

    /// <summary>The plan that ends the copy of a disk; null if it is not to be ended yet.</summary>
    private async Task<Plan?> PlanEndAsync(DiskMirror mirror, Catalog? foreseen)
    {
        var observation = await call.Home.Hypervisor
            .ObserveMergeAsync(folder, mirror.Process, mirror.Id, call.Cancellation).ConfigureAwait(false);
        return mirror.Due(observation.State) is { } how
            ? await PlanAsync(new EndMirror(Path.GetFileName(folder.Path), mirror.Id.Value, how), foreseen).ConfigureAwait(false)
            : null;
    }

    /// <summary>Gives merged layers the names that were chosen for them, where nothing has them open.</summary>
    private async Task RenameMergedAsync()
    {
        foreach (var rename in store.Read().Renames)
        {
            var request = new RenameLayer(Path.GetFileName(folder.Path), rename.Layer);
            await RunFirstAsync(
                $"a merged layer was not named {rename.Name}",
                async () => await PlanAsync(request, foreseen: null).ConfigureAwait(false)).ConfigureAwait(false);
        }
    }

    /// <summary>Goes on with a warning if one failed and was taken back; not while it is open whether it stands.</summary>
    private async Task RunFirstAsync(string failed, Func<Task<Plan?>> make)
    {
        try
        {
            if (await make().ConfigureAwait(false) is not { } plan)
            {
                return;
            }

            var steps = call.Steps(folder);
            var warnings = await new OperationExecutor(folder, steps, store).RunAsync(plan, call.Cancellation).ConfigureAwait(false);
            Finished = [.. Finished, .. steps.Runs];
            Warnings = [.. Warnings, .. plan.Warnings, .. warnings];
        }
        catch (Exception e) when (
            !call.Announcer.IsAbandoned && e is not OperationCanceledException && Recovery.FindOpen(folder) is null)
        {
            Warnings = [.. Warnings, $"{failed}: {Failure.Of(e, "merge").Message}"];
        }
    }

    /// <summary>
    /// The catalog once the merges that are ready are finished, which comes before the plan is made; null if there are none. What
    /// is renamed then is told, and the plan is made with the names that the files have: it reads them.
    /// </summary>
    public async Task<Catalog?> ForeseeAsync()
    {
        if (Merging.IsUnconcerned(call.Request))
        {
            return null;
        }

        var catalog = store.Read();
        var foreseen = await ForeseeAsync(catalog).ConfigureAwait(false);
        foreach (var job in catalog.Jobs)
        {
            try
            {
                if (await PlanFinishAsync(job, foreseen).ConfigureAwait(false) is { Commit: { } change } plan)
                {
                    foreseen = change.ApplyTo(foreseen ?? catalog, catalog.Last);
                    var acts = string.Join("; ", plan.Steps.Select(s => s.Summary));
                    var told = $"merge {job.Id} of disk '{job.Disk}' is ready and is finished first: {acts}";
                    Warnings = [.. Warnings, told, .. plan.Warnings];
                }
            }
            catch (CoppiceException e)
            {
                Warnings = [.. Warnings, $"merge {job.Id} cannot be finished: {e.Message}"];
            }
        }

        foreach (var rename in (foreseen ?? catalog).Renames)
        {
            await ForeseeAsync(rename, foreseen).ConfigureAwait(false);
        }

        return foreseen;
    }

    /// <summary>The catalog once the copies of disks are ended that come to their end first; null if there are none.</summary>
    private async Task<Catalog?> ForeseeAsync(Catalog catalog)
    {
        Catalog? foreseen = null;
        foreach (var mirror in catalog.Mirrors.Where(m => !IsAbout(m)))
        {
            try
            {
                if (await PlanEndAsync(mirror, foreseen).ConfigureAwait(false) is { Commit: { } change } plan)
                {
                    foreseen = change.ApplyTo(foreseen ?? catalog, catalog.Last);
                    var acts = string.Join("; ", plan.Steps.Select(s => s.Summary));
                    Warnings = [.. Warnings, $"the copy of disk '{mirror.Disk}' ({mirror.Id}) is ended first: {acts}", .. plan.Warnings];
                }
            }
            catch (CoppiceException e)
            {
                Warnings = [.. Warnings, $"the copy of disk '{mirror.Disk}' ({mirror.Id}) cannot be ended: {e.Message}"];
            }
        }

        return foreseen;
    }

    private async Task ForeseeAsync(LayerRename rename, Catalog? foreseen)
    {
        try
        {
            var plan = await PlanAsync(new RenameLayer(Path.GetFileName(folder.Path), rename.Layer), foreseen).ConfigureAwait(false);
            var acts = string.Join("; ", plan.Steps.Select(s => s.Summary));
            var told = $"a merged layer is named {rename.Name} first: {acts}; the plan has its old name";
            Warnings = [.. Warnings, .. acts.Length > 0 ? [told] : Array.Empty<string>(), .. plan.Warnings];
        }
        catch (CoppiceException e)
        {
            Warnings = [.. Warnings, $"a merged layer cannot be named {rename.Name}: {e.Message}"];
        }
    }

    /// <summary>The plan that finishes a merge; null if it is not ready.</summary>
    private async Task<Plan?> PlanFinishAsync(MergeJob job, Catalog? foreseen)
    {
        if (job.Process is not { } process || await call.Home.Hypervisor
            .ObserveMergeAsync(folder, process, job.Id, call.Cancellation).ConfigureAwait(false) is not { State: MergeState.Ready })
        {
            return null;
        }

        return await PlanAsync(new FinishJob(Path.GetFileName(folder.Path), job.Id), foreseen).ConfigureAwait(false);
    }

    private async Task<Plan> PlanAsync(DomainRequest request, Catalog? foreseen)
    {
        var observed = await new Observer(call.Home, folder).ObserveAsync(request, call.Cancellation, foreseen).ConfigureAwait(false);
        return Planner.Plan(request, observed, call.Home.Hypervisor, call.Home.Storage);
    }
}
