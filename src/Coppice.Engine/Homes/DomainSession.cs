using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>One request on its way through a <see cref="Engine.Home"/>: what its parts share.</summary>
internal sealed record Call(HomeOptions Home, Request Request, RunOptions Options, Announcer Announcer, CancellationToken Cancellation)
{
    public StepRunner Steps(DomainFolder folder) => new(folder, [Home.Hypervisor, Home.Storage], Home.Time, Announcer);

    public Task<FileLock> LockAsync(string path, string subject) => HeldLock.TakeAsync(
        path, subject, RequestWords.Of(Request), Options.LockWait, Home.Time, Cancellation);
}

/// <summary>A domain while this command holds its lock; nothing of it is unfinished.</summary>
internal sealed class DomainSession : IDisposable
{
    private readonly Call _call;
    private readonly FileLock _lock;
    private readonly CatalogStore _store;
    private readonly DomainFolder _folder;
    private readonly ImmutableArray<string> _warnings;

    private DomainSession(Call call, FileLock held, DomainFolder folder, CatalogStore store, ImmutableArray<string> warnings)
    {
        _call = call;
        _lock = held;
        _folder = folder;
        _store = store;
        _warnings = warnings;
    }

    /// <summary>Takes the lock and settles what a crash left.</summary>
    public static async Task<DomainSession> OpenAsync(Call call, DomainFolder folder)
    {
        var store = new CatalogStore(folder);
        var held = await call.LockAsync(folder.Lock, $"domain '{store.Read().Name}'").ConfigureAwait(false);
        try
        {
            if (!store.Exists)
            {
                throw new CoppiceException(ErrorKind.NotFound, $"domain in {folder.Path}", "was undefined meanwhile");
            }

            var warnings = await new Recovery(folder, call.Steps(folder), store).RunAsync().ConfigureAwait(false);
            return new DomainSession(call, held, folder, store, warnings);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    public Task<Observed> ObserveAsync() => new Observer(_call.Home, _folder).ObserveAsync(_call.Request, _call.Cancellation);

    /// <summary>Carries out a plan unless only the plan is asked for.</summary>
    public async Task<OperationResult> ExecuteAsync(Plan plan)
    {
        if (_call.Options.PlanOnly)
        {
            return Results.Planned(plan, _store.Read()) with { Warnings = _warnings };
        }

        var steps = _call.Steps(_folder);
        var warnings = await new OperationExecutor(_folder, steps, _store).RunAsync(plan, _call.Cancellation).ConfigureAwait(false);
        return Results.Executed(plan, _store.Read(), steps.Runs) with { Warnings = [.. _warnings, .. warnings] };
    }

    public void Dispose() => _lock.Dispose();
}
