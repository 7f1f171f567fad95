using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Tries whether a guest comes up from a snapshot, in a fork that is thrown away: by us, or, if we are killed, by whichever
/// command comes next. While we live we hold a lock that says that it is still needed.
/// </summary>
internal sealed class SnapshotTrier(Call call, HomeFolder home, DomainFinder finder)
{
    public async Task<OperationResult> RunAsync(TrySnapshot request)
    {
        var fork = new ForkSnapshot(request.Domain, request.Snapshot, $"trial-{call.Home.Ids.NextShort()}")
        {
            Network = ForkNetwork.Cut, IsTrial = true,
        };
        var forker = new Forker(call with { Request = fork }, home, finder);
        OperationResult result;
        ImmutableArray<string> told = [];
        try
        {
            var made = await forker.RunAndHoldAsync(fork).ConfigureAwait(false);
            result = made.Executed ? await TryAsync(request, made).ConfigureAwait(false) : made;
        }
        finally
        {
            forker.Tried?.Dispose();
            if (!call.Announcer.IsAbandoned && forker.Tried is not null)
            {
                told = await ThrowAwayAsync().ConfigureAwait(false);
            }
        }

        return result with { Warnings = [.. result.Warnings, .. told] };
    }

    private async Task<OperationResult> TryAsync(TrySnapshot request, OperationResult made)
    {
        var folder = home.Domain(made.Plan.Domain);
        var trial = await TryAsync(request, folder, made.Catalog!.Head.Saved is null).ConfigureAwait(false);
        return made with { Catalog = new CatalogStore(finder.Find(request.Domain)).Read(), Trial = trial };
    }

    /// <summary>That it cannot even be started is an answer too, if it is due to what the snapshot has.</summary>
    private async Task<GuestTrial> TryAsync(TrySnapshot request, DomainFolder folder, bool boots)
    {
        try
        {
            var start = new StartDomain(Path.GetFileName(folder.Path), Paused: true);
            await DomainSession.RunAsync(call with { Request = start }, start, folder).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (
            !call.Announcer.IsAbandoned
            && e.Kind is ErrorKind.NotFound or ErrorKind.Damaged or ErrorKind.InvalidInput or ErrorKind.Hypervisor)
        {
            return new GuestTrial(TrialEnd.Failed, e.Message);
        }

        var (catalog, definition) = new CatalogStore(folder).ReadWithDefinition();
        return await call.Home.Hypervisor
            .TryGuestAsync(folder, catalog.Head.Process!.Value, definition, boots, request.Patience, call.Cancellation).ConfigureAwait(false);
    }

    private async Task<ImmutableArray<string>> ThrowAwayAsync()
    {
        try
        {
            var late = call with { Cancellation = CancellationToken.None };
            using var held = await late.LockHomeAsync(home).ConfigureAwait(false);
            return await new TransientEnds(call.Home, home).TidyAsync(finder.Folders(), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CoppiceException or FileException)
        {
            return [$"{Failure.Of(e, call.Request.Operation).Message}; the next command throws the fork away"];
        }
    }
}
