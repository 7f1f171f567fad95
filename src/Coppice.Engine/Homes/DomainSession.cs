using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>One request on its way through a <see cref="Engine.Home"/>: what its parts share.</summary>
internal sealed record Call(HomeOptions Home, Request Request, RunOptions Options, Announcer Announcer, CancellationToken Cancellation)
{
    /// <summary>The forks that this one is made with; null if it is alone.</summary>
    public ForkSeries? Series { get; init; }

    /// <summary>What is waited for once the operation stands, before it is cleaned up; null for nothing.</summary>
    public Func<Task>? BeforeCleanUp { get; init; }

    public StepRunner Steps(DomainFolder folder) => new(folder, [Home.Hypervisor, Home.Storage], Home.Time, Announcer);

    public Task<FileLock> LockAsync(string path, string subject) => HeldLock.TakeAsync(
        path, subject, Request.Operation, Options.LockWait, Home.Time, Cancellation);

    /// <summary>Takes the lock of the home, so that names and images stay unique; null if this only plans.</summary>
    public async Task<FileLock?> LockHomeAsync(HomeFolder home) => Options.PlanOnly
        ? null
        : await LockAsync(home.Lock, $"home {home.Path}").ConfigureAwait(false);

    /// <summary>Adds what was settled before an act to what the act has to tell, also if it fails.</summary>
    public async Task<OperationResult> TellingAsync(ImmutableArray<string> settled, Func<Task<OperationResult>> act)
    {
        try
        {
            var result = await act().ConfigureAwait(false);
            return result with { Warnings = [.. settled, .. result.Warnings] };
        }
        catch (Exception e) when (!settled.IsEmpty && !Announcer.IsAbandoned)
        {
            throw Failure.Of(e, Request.Operation).And(string.Join("; ", settled));
        }
    }
}

/// <summary>A domain while this command holds its lock, or only plans; nothing is open about its catalog.</summary>
internal sealed class DomainSession : IDisposable
{
    private readonly Call _call;
    private readonly FileLock? _lock;
    private readonly CatalogStore _store;
    private readonly DomainFolder _folder;
    private ImmutableArray<StepRun> _finished = [];

    private DomainSession(Call call, FileLock? held, DomainFolder folder, CatalogStore store)
    {
        _call = call;
        _lock = held;
        _folder = folder;
        _store = store;
    }

    /// <summary>The process was ended, because what was interrupted could not be settled while it lived.</summary>
    public bool HasEndedProcess { get; private set; }

    /// <summary>What became, or will become, of interrupted operations.</summary>
    public ImmutableArray<string> Warnings { get; private set; } = [];

    /// <summary>Takes the lock and settles what a crash left. Only to plan, it does neither.</summary>
    public static async Task<DomainSession> OpenAsync(Call call, DomainFolder folder)
    {
        var store = new CatalogStore(folder);
        var name = store.ReadName();
        if (call.Options.PlanOnly)
        {
            return new DomainSession(call, null, folder, store)
            {
                Warnings = await LookAsync(call, folder, store, name).ConfigureAwait(false),
            };
        }

        var session = new DomainSession(call, await LockAsync(call, folder, name).ConfigureAwait(false), folder, store);
        try
        {
            if (!store.Exists)
            {
                throw new CoppiceException(ErrorKind.NotFound, $"domain in {folder.Path}", "was undefined meanwhile");
            }

            if (store.ReadName() is var now && now != name)
            {
                throw new CoppiceException(
                    ErrorKind.WrongState, $"domain '{name}'", $"was renamed to '{now}' meanwhile", "try again with the name you mean");
            }

            await session.RecoverAsync().ConfigureAwait(false);
            if (!Merging.IsUnconcerned(call.Request))
            {
                await session.EndMirrorsAsync().ConfigureAwait(false);
                await session.FinishReadyAsync().ConfigureAwait(false);
                await session.RenameMergedAsync().ConfigureAwait(false);
            }

            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>Plans the request of a call about a domain, and carries it out.</summary>
    public static async Task<OperationResult> RunAsync(Call call, DomainRequest request, DomainFolder folder)
    {
        using var session = await OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        var plan = session.HasEndedProcess
            ? Planner.Settle(request, observed, call.Home.Hypervisor, call.Home.Storage)
            : Planner.Plan(request, observed, call.Home.Hypervisor, call.Home.Storage);
        return await session.ExecuteAsync(plan).ConfigureAwait(false);
    }

    public async Task<Observed> ObserveAsync() => await new Observer(_call.Home, _folder).ObserveAsync(
        _call.Request, _call.Cancellation, _call.Options.PlanOnly ? await ForeseeAsync().ConfigureAwait(false) : null).ConfigureAwait(false);

    /// <summary>The plan, with what became or will become of interrupted operations.</summary>
    public OperationResult Planned(Plan plan) =>
        Results.Planned(plan with { Warnings = [.. Warnings, .. plan.Warnings] }, _store.Read());

    /// <summary>Carries out a plan unless only the plan is asked for.</summary>
    public async Task<OperationResult> ExecuteAsync(Plan plan)
    {
        if (_call.Options.PlanOnly)
        {
            return Planned(plan);
        }

        var steps = _call.Steps(_folder);
        var warnings = await new OperationExecutor(_folder, steps, _store) { BeforeCleanUp = _call.BeforeCleanUp }
            .RunAsync(plan, _call.Cancellation).ConfigureAwait(false);
        var catalog = _store.Read();
        if (!plan.CleanUp.IsEmpty || !_finished.IsEmpty || plan.Commit is { Drop.IsEmpty: false })
        {
            new ChecksumStore(_folder).Tidy(catalog);
        }

        return Results.Executed(plan, catalog, [.. _finished, .. steps.Runs], [.. Warnings, .. warnings]);
    }

    public void Dispose() => _lock?.Dispose();

    private static Task<FileLock> LockAsync(Call call, DomainFolder folder, string name) =>
        call.LockAsync(folder.Lock, $"domain '{name}'");

    /// <summary>Refuses to plan while it is open whether the last operation stands. What was not cleaned up is told.</summary>
    private static async Task<ImmutableArray<string>> LookAsync(Call call, DomainFolder folder, CatalogStore store, string name)
    {
        var recovery = new Recovery(folder, call.Steps(folder), store);
        var (open, warnings) = recovery.Look();
        if (open is not null)
        {
            // Whoever holds the lock is about to end it. What is open while we hold it was interrupted.
            using var held = await LockAsync(call, folder, name).ConfigureAwait(false);
            (open, warnings) = recovery.Look();
        }

        return open is null
            ? warnings
            : throw new CoppiceException(
                ErrorKind.WrongState, $"domain '{name}'", $"{open}, and a plan would have to guess what becomes of that",
                "run the command without --plan: it settles that first");
    }

    /// <summary>
    /// Finishes the merges that are ready, each as an operation of its own. One that cannot be finished keeps nothing else from
    /// being done: it is told, and stays on record.
    /// </summary>
    private async Task FinishReadyAsync()
    {
        foreach (var job in _store.Read().Jobs)
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
        foreach (var mirror in _store.Read().Mirrors.Where(m => !IsAbout(m)))
        {
            await RunFirstAsync($"the copy of disk '{mirror.Disk}' ({mirror.Id}) was not ended", () => PlanEndAsync(mirror, foreseen: null)).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the request itself says how a copy ends.</summary>
    private bool IsAbout(DiskMirror mirror) => _call.Request switch
    {
        CancelJobs cancel => cancel.Job is null || cancel.Job == mirror.Id.Value,
        EndMirror end => end.Job == mirror.Id.Value,
        _ => false,
    };

    /// <summary>The plan that ends the copy of a disk; null if it is not to be ended yet.</summary>
    private async Task<Plan?> PlanEndAsync(DiskMirror mirror, Catalog? foreseen)
    {
        var observation = await _call.Home.Hypervisor
            .ObserveMergeAsync(_folder, mirror.Process, mirror.Id, _call.Cancellation).ConfigureAwait(false);
        return mirror.Due(observation.State) is { } how
            ? await PlanAsync(new EndMirror(Path.GetFileName(_folder.Path), mirror.Id.Value, how), foreseen).ConfigureAwait(false)
            : null;
    }

    /// <summary>Gives merged layers the names that were chosen for them, where nothing has them open.</summary>
    private async Task RenameMergedAsync()
    {
        foreach (var rename in _store.Read().Renames)
        {
            var request = new RenameLayer(Path.GetFileName(_folder.Path), rename.Layer);
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

            var steps = _call.Steps(_folder);
            var warnings = await new OperationExecutor(_folder, steps, _store).RunAsync(plan, _call.Cancellation).ConfigureAwait(false);
            _finished = [.. _finished, .. steps.Runs];
            Warnings = [.. Warnings, .. plan.Warnings, .. warnings];
        }
        catch (Exception e) when (
            !_call.Announcer.IsAbandoned && e is not OperationCanceledException && Recovery.FindOpen(_folder) is null)
        {
            Warnings = [.. Warnings, $"{failed}: {Failure.Of(e, "merge").Message}"];
        }
    }

    /// <summary>
    /// The catalog once the merges that are ready are finished, which comes before the plan is made; null if there are none. What
    /// is renamed then is told, and the plan is made with the names that the files have: it reads them.
    /// </summary>
    private async Task<Catalog?> ForeseeAsync()
    {
        if (Merging.IsUnconcerned(_call.Request))
        {
            return null;
        }

        var catalog = _store.Read();
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
            var plan = await PlanAsync(new RenameLayer(Path.GetFileName(_folder.Path), rename.Layer), foreseen).ConfigureAwait(false);
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
        if (job.Process is not { } process || await _call.Home.Hypervisor
            .ObserveMergeAsync(_folder, process, job.Id, _call.Cancellation).ConfigureAwait(false) is not { State: MergeState.Ready })
        {
            return null;
        }

        return await PlanAsync(new FinishJob(Path.GetFileName(_folder.Path), job.Id), foreseen).ConfigureAwait(false);
    }

    private async Task<Plan> PlanAsync(DomainRequest request, Catalog? foreseen)
    {
        var observed = await new Observer(_call.Home, _folder).ObserveAsync(request, _call.Cancellation, foreseen).ConfigureAwait(false);
        return Planner.Plan(request, observed, _call.Home.Hypervisor, _call.Home.Storage);
    }

    /// <summary>A kill must get through: if nothing can be settled while the process lives, it is ended first.</summary>
    private async Task RecoverAsync()
    {
        var recovery = new Recovery(_folder, _call.Steps(_folder), _store);
        try
        {
            Warnings = await recovery.RunAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (
            _call.Request is KillDomain kill && !_call.Announcer.IsAbandoned && _store.Read().Head.Process is { } process && kill.Means(process))
        {
            // Not journalled: a process may die at any time, and whatever settles an operation bears with it.
            var first = Failure.Of(e, _call.Request.Operation);
            await EndAsync(_store.Read().Head.Process!.Value).ConfigureAwait(false);
            Warnings = [first.Message, .. await RunAfterEndAsync(recovery).ConfigureAwait(false)];
        }
    }

    private async Task<ImmutableArray<string>> RunAfterEndAsync(Recovery recovery)
    {
        try
        {
            return await recovery.RunAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (!_call.Announcer.IsAbandoned)
        {
            throw Failure.Of(e, _call.Request.Operation).And("its process was ended all the same");
        }
    }

    private async Task EndAsync(ShortId process)
    {
        var context = new StepContext(_folder, _call.Home.Ids.NextShort(), new Progress<StepProgress>());
        var hypervisor = _call.Home.Hypervisor;
        await hypervisor.ApplyAsync(hypervisor.End(process), context, _call.Cancellation).ConfigureAwait(false);
        HasEndedProcess = true;
    }
}
