using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Mends a domain. What a crash left unfinished is settled first, as by every command, and whoever lends it images is told; the
/// check then is made under the locks of home and domain, so that nobody comes to need what goes.
/// </summary>
internal sealed class Repairer(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(RepairDomain request)
    {
        using var homeLock = await call.LockHomeAsync(home).ConfigureAwait(false);
        var folder = finder.Find(request.Domain);
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var untold = call.Options.PlanOnly ? null : await TryLendAsync(folder).ConfigureAwait(false);
        var domain = await new DomainLook(call.Home, folder, finder).ReadAsync(call.Cancellation).ConfigureAwait(false);
        var plan = DomainCheck.Repair(domain, request.Orphans, call.Home.Ids.NextShort(), call.Home.Hypervisor, call.Home.Storage);
        return await session.ExecuteAsync(untold is null ? plan : plan with { Warnings = [untold, .. plan.Warnings] }).ConfigureAwait(false);
    }

    /// <summary>Another domain that cannot be told keeps nothing here from being mended.</summary>
    /// <returns>Why one could not; null if all were.</returns>
    private async Task<string?> TryLendAsync(DomainFolder folder)
    {
        try
        {
            await new Lending(call.Home, home).RenewAsync(call, finder, folder, new CatalogStore(folder).Read()).ConfigureAwait(false);
            return null;
        }
        catch (CoppiceException e) when (e.Kind is not ErrorKind.Cancelled && !call.Announcer.IsAbandoned)
        {
            return $"who lends images was not told: {e.Message}";
        }
    }
}
