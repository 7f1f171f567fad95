using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Undefines a domain: its root gets another name, in one step, and all that it named is removed afterwards.</summary>
internal sealed class Undefiner(Call call, HomeFolder home, DomainFinder finder)
{
    private const int MostNamed = 3;

    public async Task<OperationResult> RunAsync(UndefineDomain request)
    {
        using var homeLock = call.Options.PlanOnly
            ? null
            : await call.LockAsync(home.Lock, $"home {home.Path}").ConfigureAwait(false);
        var folder = finder.Find(request.Domain);
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        RequireAllowed(request, observed);
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

    private static void RequireAllowed(UndefineDomain request, Observed observed)
    {
        var catalog = observed.Catalog;
        var subject = $"domain '{catalog.Name}'";
        if (observed.Hypervisor.IsAlive)
        {
            throw new CoppiceException(ErrorKind.WrongState, subject, "is running", $"stop it first: coppice stop {catalog.Name}");
        }

        if (!request.Snapshots && (catalog.Snapshots.Count > 0 || catalog.Tips.Length > 0))
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject,
                $"has {catalog.Snapshots.Count} snapshots and {catalog.Tips.Length} tips, which would go with it",
                "delete them first, or add --snapshots");
        }

        if (!request.Snapshots && catalog.Head.Saved is not null)
        {
            throw new CoppiceException(
                ErrorKind.WouldLose, subject, "is saved, and its memory would go with it",
                $"let it go on: coppice start {catalog.Name}, or add --snapshots");
        }

        if (!request.Snapshots)
        {
            RequireNothingWritten(observed, subject);
        }
    }

    /// <summary>Variables of the firmware that were never the user's belong to the domain like its definition.</summary>
    private static bool IsPartOfDomain(Layer layer, LayerGraph graph) =>
        layer.Disk == DiskDevice.FlashTarget && graph.Chain(layer.Id)[^1].Origin is LayerOrigin.Coppice;

    /// <summary>A snapshot that was deleted without merging leaves what the guest wrote since in layers that Coppice removes.</summary>
    private static void RequireNothingWritten(Observed observed, string subject)
    {
        var graph = new LayerGraph(observed.Catalog);
        var paths = observed.Catalog.Layers
            .Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null } && !IsPartOfDomain(l, graph))
            .Where(l => observed.Layers.GetValueOrDefault(l.Id) is not ({ Exists: false } or { IsEmpty: true }))
            .Select(l => l.Path)
            .ToArray();
        if (paths.Length > 0)
        {
            var more = paths.Length > MostNamed ? $" and {paths.Length - MostNamed} more" : "";
            throw new CoppiceException(
                ErrorKind.WouldLose, subject,
                $"has data in {paths.Length} layers that Coppice made, which would go with it: {string.Join(", ", paths.Take(MostNamed))}{more}",
                "--snapshots removes them too; to keep the data, copy the disk first with qemu-img convert");
        }
    }
}
