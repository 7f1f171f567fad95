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
    private readonly PendingJobs _pending;
    private ImmutableArray<string> _settled = [];

    private DomainSession(Call call, FileLock? held, DomainFolder folder, CatalogStore store)
    {
        _call = call;
        _lock = held;
        _folder = folder;
        _store = store;
        _pending = new PendingJobs(call, folder, store);
    }

    /// <summary>The process was ended, because what was interrupted could not be settled while it lived.</summary>
    public bool HasEndedProcess { get; private set; }

    /// <summary>What became, or will become, of interrupted operations.</summary>
    public ImmutableArray<string> Warnings => [.. _settled, .. _pending.Warnings];

    /// <summary>Takes the lock and settles what a crash left. Only to plan, it does neither.</summary>
    public static async Task<DomainSession> OpenAsync(Call call, DomainFolder folder)
    {
        var store = new CatalogStore(folder);
        var name = store.ReadName();
        if (call.Options.PlanOnly)
        {
            return new DomainSession(call, null, folder, store)
            {
                _settled = await LookAsync(call, folder, store, name).ConfigureAwait(false),
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
                await session._pending.FinishAsync().ConfigureAwait(false);
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

    /// <summary>
    /// Finishes what is ready, which every session does, and begins what waits; null if another command is at work on the domain,
    /// which may well do it too.
    /// </summary>
    public static async Task<OperationResult?> TryAdvanceAsync(Call call, DomainFolder folder)
    {
        var request = new WaitForJobs(Path.GetFileName(folder.Path), Job: null);
        try
        {
            return await RunAsync(call with { Request = request }, request, folder).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Busy)
        {
            return null;
        }
    }

    public async Task<Observed> ObserveAsync() => await new Observer(_call.Home, _folder).ObserveAsync(
        _call.Request, _call.Cancellation, _call.Options.PlanOnly ? await _pending.ForeseeAsync().ConfigureAwait(false) : null).ConfigureAwait(false);

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
        if (!plan.CleanUp.IsEmpty || !_pending.Finished.IsEmpty || plan.Commit is { Drop.IsEmpty: false })
        {
            new ChecksumStore(_folder).Tidy(catalog);
        }

        return Results.Executed(plan, catalog, [.. _pending.Finished, .. steps.Runs], [.. Warnings, .. warnings]);
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

    /// <summary>A kill must get through: if nothing can be settled while the process lives, it is ended first.</summary>
    private async Task RecoverAsync()
    {
        var recovery = new Recovery(_folder, _call.Steps(_folder), _store);
        try
        {
            _settled = await recovery.RunAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (
            _call.Request is KillDomain kill && !_call.Announcer.IsAbandoned && _store.Read().Head.Process is { } process && kill.Means(process))
        {
            // Not journalled: a process may die at any time, and whatever settles an operation bears with it.
            var first = Failure.Of(e, _call.Request.Operation);
            await EndAsync(_store.Read().Head.Process!.Value).ConfigureAwait(false);
            _settled = [first.Message, .. await RunAfterEndAsync(recovery).ConfigureAwait(false)];
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
