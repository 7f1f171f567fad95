using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Undefines a domain: its root gets another name, in one step, and all that it named is removed afterwards.</summary>
internal sealed class Undefiner(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(UndefineDomain request)
    {
        using var homeLock = await call.LockHomeAsync(home).ConfigureAwait(false);
        var folder = finder.Find(request.Domain);
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        if (observed.Hypervisor.IsAlive)
        {
            var name = observed.Catalog.Name;
            throw new CoppiceException(ErrorKind.WrongState, $"domain '{name}'", "is running", $"stop it first: coppice stop {name}");
        }

        var refusal = UndefineLosses.OfBorrowers(observed)
            ?? (request.Snapshots ? null : UndefineLosses.Of(observed))
            ?? UndefineLosses.OfUsersImages(observed);
        return refusal is null ? await ForgetAsync(call, folder, session, observed).ConfigureAwait(false) : throw refusal;
    }

    /// <summary>Undefines a domain whatever goes with it. Needs the locks of home and domain.</summary>
    public static async Task<OperationResult> ForgetAsync(Call call, DomainFolder folder, DomainSession session, Observed observed)
    {
        var steps = call.Steps(folder);
        var removal = new Removal(call.Home, folder, steps);
        var plan = removal.Plan(observed.Catalog, observed.Files);
        if (call.Options.PlanOnly)
        {
            return session.Planned(plan);
        }

        call.Cancellation.ThrowIfCancellationRequested();
        steps.Tell(OperationPoint.Committing, plan);
        new CatalogStore(folder).Forget();
        steps.Tell(OperationPoint.Committed, plan);
        var warnings = await removal.RunAsync(plan).ConfigureAwait(false);
        return Results.Executed(plan, null, steps.Runs, [.. session.Warnings, .. warnings]);
    }
}
