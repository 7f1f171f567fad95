using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Makes a domain known, or gives one that is off another definition. Holds the lock of the home unless it only plans.
/// </summary>
internal sealed class Definer(Call call, HomeFolder home, DomainFinder finder)
{
    private IStorage Storage => call.Home.Storage;

    public async Task<OperationResult> RunAsync(DefineDomain request)
    {
        var definition = request.Definition;
        Names.Check("domain", definition.Name);
        DefinitionRules.CheckSources(definition);
        if (!call.Options.PlanOnly)
        {
            DurableFolder.Create(home.Path);
        }

        using var held = call.Options.PlanOnly
            ? null
            : await call.LockAsync(home.Lock, $"home {home.Path}").ConfigureAwait(false);
        var leftovers = held is null ? [] : await new Leftovers(call.Home, home).TidyAsync().ConfigureAwait(false);
        finder.RequireAllReadable();
        var folder = home.Domain(definition.Id);
        var store = new CatalogStore(folder);
        if (store.Exists)
        {
            definition = FirmwareVariables.Kept(definition, store.ReadWithDefinition().Definition);
        }

        var sealedOne = await call.Home.Hypervisor.SealAsync(definition, call.Cancellation).ConfigureAwait(false);
        var result = store.Exists
            ? await RedefineAsync(folder, sealedOne).ConfigureAwait(false)
            : await DefineAsync(folder, sealedOne).ConfigureAwait(false);
        return result with { Warnings = [.. leftovers, .. result.Warnings] };
    }

    private async Task<OperationResult> DefineAsync(DomainFolder folder, DomainDefinition definition)
    {
        RequireNoFolder(folder);
        if (finder.Named(definition.Name) is { } other)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"domain '{definition.Name}'", $"exists already, with uuid {Path.GetFileName(other.Path)}",
                "choose another name, or give that uuid to replace its definition");
        }

        definition = FirmwareVariables.Placed(definition, folder, call.Home.Ids);
        var drives = await DiscoverFreeAsync(folder, definition).ConfigureAwait(false);
        var plan = Plan(folder, definition, "new domain") with { Commit = Change(folder, definition, drives, out var written) };
        plan = plan with { Prepare = [.. drives.Made, written] };
        return call.Options.PlanOnly
            ? Results.Planned(plan, null)
            : await MakeAsync(folder, definition, plan).ConfigureAwait(false);
    }

    /// <summary>Leftovers are gone by now, but for those of which something could not be removed. A plan leaves them.</summary>
    private void RequireNoFolder(DomainFolder folder)
    {
        if (!call.Options.PlanOnly && Directory.Exists(folder.Path))
        {
            throw new CoppiceException(
                ErrorKind.Damaged, $"domain folder {folder.Path}", "still holds what is left of another domain", "mend or move that folder");
        }
    }

    private async Task<OperationResult> MakeAsync(DomainFolder folder, DomainDefinition definition, Plan plan)
    {
        var steps = call.Steps(folder);
        var empty = new Catalog
        {
            Domain = definition.Id,
            Name = definition.Name,
            Head = plan.Commit!.Head,
            Last = new LastOperation(plan.Id, OperationEnd.Committed),
        };
        var catalog = plan.Commit.ApplyTo(empty, empty.Last);
        var isNew = !Directory.Exists(folder.Path);
        var begun = 0;
        try
        {
            DurableFolder.Create(folder.Path);
            steps.Tell(OperationPoint.Planned, plan);
            while (begun < plan.Prepare.Length)
            {
                await steps.ApplyAsync(plan, begun++, call.Cancellation).ConfigureAwait(false);
            }

            steps.Tell(OperationPoint.Committing, plan);
            call.Cancellation.ThrowIfCancellationRequested();
            await new CatalogStore(folder).CreateAsync(catalog).ConfigureAwait(false);
            steps.Tell(OperationPoint.Committed, plan);
        }
        catch when (isNew && !call.Announcer.IsAbandoned)
        {
            DurableFile.Remove(folder.CatalogRoot);
            while (begun > 0)
            {
                await steps.UndoAsync(plan, --begun).ConfigureAwait(false);
            }

            DurableFolder.Remove(folder.Path);
            throw;
        }

        steps.Tell(OperationPoint.Ended, plan);
        return Results.Executed(plan, catalog, steps.Runs);
    }

    private async Task<OperationResult> RedefineAsync(DomainFolder folder, DomainDefinition definition)
    {
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        definition = FirmwareVariables.Placed(definition, folder, call.Home.Ids);
        DefinitionRules.RequireRedefinable(definition, observed);
        var drives = await DiscoverFreeAsync(folder, definition).ConfigureAwait(false);
        var keepsDisks = DefinitionRules.HaveSameDisks(definition, observed.Definition);
        var change = Keeping(
            DefinitionRules.Kept(definition, observed.Definition), Change(folder, definition, drives, out var written), observed.Catalog);
        var reclaimed = Reclaiming.After(observed, call.Home.Hypervisor, Storage, change with { Current = observed.Catalog.Current });
        var plan = Plan(folder, definition, keepsDisks ? "another definition, the same disks" : "another definition, other disks") with
        {
            Prepare = [.. drives.Made, written],
            Commit = reclaimed.Change,
            CleanUp = reclaimed.Removals,
        };
        return await session.ExecuteAsync(plan).ConfigureAwait(false);
    }

    private Plan Plan(DomainFolder folder, DomainDefinition definition, string mechanism) => new()
    {
        Id = call.Home.Ids.NextShort(),
        Operation = "define",
        Domain = definition.Id,
        Mechanism = $"{mechanism} in {folder.Path}",
    };

    private CatalogChange Change(
        DomainFolder folder, DomainDefinition definition, FoundDrives drives, out Step written)
    {
        var id = call.Home.Ids.NextShort();
        written = Storage.WriteFile(folder.Definition(id), DomainXml.Format(definition));
        return new CatalogChange
        {
            Head = new Head { Definition = id, Disks = [.. drives.Chains.Select(chain => new HeadDisk(chain[0].Disk, chain[0].Id))] },
            Current = null,
            PutLayers = [.. drives.Chains.SelectMany(chain => chain).DistinctBy(l => l.Id)],
        };
    }

    /// <summary>The disks that stay, where snapshots have led them; the others follow the definition.</summary>
    private static CatalogChange Keeping(ImmutableHashSet<string> kept, CatalogChange change, Catalog catalog) => change with
    {
        Head = change.Head with
        {
            Disks = [.. change.Head.Disks.Select(d => kept.Contains(d.Target) ? catalog.Head.Disks.First(h => h.Target == d.Target) : d)],
        },
        PutLayers = [.. change.PutLayers.Where(l => !kept.Contains(l.Disk))],
    };

    /// <summary>The images of each drive, top first, none of which is written by one drive and used by another.</summary>
    private async Task<FoundDrives> DiscoverFreeAsync(DomainFolder folder, DomainDefinition definition)
    {
        var fresh = await new FirmwareVariables(Storage, call.Home.Ids).MissingAsync(definition, folder, call.Cancellation).ConfigureAwait(false);
        var sources = definition.DisksAndFlash.Where(d => d.Source is not null && d.Target != fresh?.Disk);
        var found = await Task.WhenAll(sources.Select(d => Storage.DiscoverAsync(d, call.Cancellation))).ConfigureAwait(false);
        ImmutableArray<ImmutableArray<Layer>> drives = fresh is null ? [.. found] : [.. found, [fresh]];
        FirmwareVariables.RequireChip(definition, drives.Select(chain => chain[0]));
        var use = ImageUse.Of(definition, drives);
        var others = finder.Others(home.Domain(definition.Id)).Select(ImageUse.Of).ToArray();
        var paths = others.Append(use).SelectMany(u => u.All);
        var files = await Storage.ObserveFilesAsync(paths, call.Cancellation).ConfigureAwait(false);
        use.RequireFree(others, path => files.TryGetValue(path, out var file) ? file.Identity : path);
        return new FoundDrives(drives, fresh is null ? [] : [Storage.CreateVariables(fresh, definition.Os.Firmware!.Template!)]);
    }

    /// <summary>The images that a definition names.</summary>
    /// <param name="Chains">Those of each drive, top first.</param>
    /// <param name="Made">What is to be made of them.</param>
    private sealed record FoundDrives(ImmutableArray<ImmutableArray<Layer>> Chains, ImmutableArray<Step> Made);
}
