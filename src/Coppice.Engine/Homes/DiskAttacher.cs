using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Gives a domain one disk more, while it runs or is off. Holds the lock of the home unless it only plans.</summary>
internal sealed class DiskAttacher(Call call, HomeFolder home, DomainFinder finder)
{
    private readonly Definer _definer = new(call, home, finder);

    /// <summary>Gives a domain one disk more, which runs or is off.</summary>
    public async Task<OperationResult> RunAsync(AttachDisk request)
    {
        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        var leftovers = await _definer.TidiedAsync().ConfigureAwait(false);
        var folder = finder.Find(request.Domain);
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        observed.Catalog.RequireNotSaved();
        var image = await TypedAsync(request.Image).ConfigureAwait(false);
        var definition = DomainDisks.Added(observed.Definition, request with { Image = image });
        DefinitionRules.CheckSources(definition);
        var result = await _definer.ReplaceAsync(session, observed, await _definer.SealAsync(definition).ConfigureAwait(false)).ConfigureAwait(false);
        return result with { Warnings = [.. leftovers, .. result.Warnings] };
    }

    /// <summary>Gives a domain a disk that begins as a snapshot of another has it (R243). Both are locked meanwhile.</summary>
    public async Task<OperationResult> RunAsync(AttachSnapshotDisk request)
    {
        using var held = await call.LockHomeAsync(home).ConfigureAwait(false);
        var leftovers = await _definer.TidiedAsync().ConfigureAwait(false);
        var (source, folder) = (finder.Find(request.Domain), finder.Find(request.To));
        if (source == folder)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"domain '{request.To}'", "has the snapshot itself",
                $"name another domain, or fork the snapshot: coppice snapshot fork {request.Domain} {request.Snapshot} NEW");
        }

        using var lender = await DomainSession.OpenAsync(call, source).ConfigureAwait(false);
        var lent = await lender.ObserveAsync().ConfigureAwait(false);
        var attach = new AttachDisk(request.To, new NewDisk("/", ImageFormat.Qcow2))
        {
            Target = request.Target, Bus = request.Bus, ReadOnly = request.ReadOnly,
        };
        var own = call with { Request = attach };
        using var session = await DomainSession.OpenAsync(own, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        observed.Catalog.RequireNotSaved();
        var shared = await ShareAsync(request, lent, observed, DomainDisks.TargetOf(observed.Definition, attach)).ConfigureAwait(false);
        var top = shared.Chain[0];
        var definition = DomainDisks.Added(
            observed.Definition, attach with { Target = top.Disk, Image = new NewDisk(top.Path, top.Format, top.Type) });
        using var owners = call.Options.PlanOnly
            ? null
            : await new Lending(call.Home, home)
                .LendAsync(call, finder, (lender, lent.Catalog), observed.Catalog.Domain, shared.Chain).ConfigureAwait(false);

        var result = await new Definer(own, home, finder)
            .ReplaceAsync(session, observed, await _definer.SealAsync(definition).ConfigureAwait(false), shared).ConfigureAwait(false);
        return result with { Warnings = [.. leftovers, .. lender.Warnings, .. result.Warnings] };
    }

    private async Task<SharedDisk> ShareAsync(AttachSnapshotDisk request, Observed lent, Observed observed, string target)
    {
        var layer = SharedDisk.Of(request, lent.Catalog.Find(request.Snapshot)).Layer;
        var layers = LayerGraph.Of(lent.Catalog).Chain(layer).Select(l => l with { Disk = target });
        var places = await new Lending(call.Home, home).FindPlacesAsync(observed.Folder, layers, call.Cancellation).ConfigureAwait(false);
        var shared = SharedDisk.Plan(request, lent, observed, places, target, (call.Home.Hypervisor, call.Home.Storage));

        // What forgot a snapshot may have left its files: they are not this operation's to undo.
        var made = shared.Steps.SelectMany(s => s.Files).Where(f => f.Effect is FileEffect.Create).Select(f => f.Path).ToArray();
        var taken = await call.Home.Storage.ObserveFilesAsync(made, call.Cancellation).ConfigureAwait(false);
        return taken.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } path
            ? throw SharedDisk.NameTaken(observed.Catalog, path)
            : shared;
    }

    /// <summary>The image, of the type that it has: a file or a device.</summary>
    private async Task<NewDisk> TypedAsync(NewDisk image)
    {
        var found = await call.Home.Storage.ObserveFilesAsync([image.Path], call.Cancellation).ConfigureAwait(false);
        return found.TryGetValue(image.Path, out var file) ? image with { Type = file.Type } : image;
    }
}
