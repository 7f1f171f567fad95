using Coppice.Core;
using Coppice.Files;

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

        var losses = request.Snapshots ? null : UndefineLosses.Of(observed);
        var refusal = UndefineLosses.OfBorrowers(observed)
            ?? (losses is null ? null : request.Keep ? UndefineLosses.AgainstKeeping(observed) : losses)
            ?? UndefineLosses.OfUsersImages(observed);
        return refusal is not null ? throw refusal
            : losses is not null ? await KeepAsync(folder, session, observed).ConfigureAwait(false)
            : await ForgetAsync(call, folder, session, observed).ConfigureAwait(false);
    }

    /// <summary>The folder gets another name, in one step. Nothing else happens but that what runs for the domain ends before.</summary>
    private async Task<OperationResult> KeepAsync(DomainFolder folder, DomainSession session, Observed observed)
    {
        var steps = call.Steps(folder);
        var id = call.Home.Ids.NextShort();
        var (name, kept) = (observed.Catalog.Name, folder.Undefined(id));
        var plan = new Plan
        {
            Id = id,
            Operation = UndefineDomain.Word,
            Domain = observed.Catalog.Domain,
            Mechanism = $"keep all that the domain has, in {kept}",
            Prepare =
            [
                .. Merging.Halted(observed.Catalog, call.Home.Hypervisor), .. observed.Catalog.Spares.Select(s => call.Home.Hypervisor.End(s.Process)),
            ],
            Warnings = [$"'{name}' is kept in {kept}: it is a domain again once that folder has its old name, {Path.GetFileName(folder.Path)}"],
        };
        if (call.Options.PlanOnly)
        {
            return session.Planned(plan);
        }

        for (var step = 0; step < plan.Prepare.Length; step++)
        {
            await steps.ApplyAsync(plan, step, call.Cancellation).ConfigureAwait(false);
        }

        await ChecksumTaker.WaitUntilGoneAsync(folder, call.Home.Time).ConfigureAwait(false);
        steps.Tell(OperationPoint.Committing, plan);
        DurableFolder.Rename(folder.Path, kept);
        steps.Tell(OperationPoint.Committed, plan);
        return Results.Executed(plan, null, steps.Runs, [.. session.Warnings, .. plan.Warnings]);
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
