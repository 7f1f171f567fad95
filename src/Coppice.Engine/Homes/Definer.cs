using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>
/// Makes a domain known, or gives one that is off another definition. Holds the lock of the home unless it only plans: no image
/// may come to two domains.
/// </summary>
internal sealed class Definer(Call call, HomeFolder home, DomainFinder finder)
{
    private IStorage Storage => call.Home.Storage;

    private DriveSearch Drives => new(call, home, finder);

    public async Task<OperationResult> RunAsync(DefineDomain request)
    {
        using var held = await LockAsync(request.Definition).ConfigureAwait(false);
        return await DefineAsync(request.Definition, Persistence.Persistent).ConfigureAwait(false);
    }

    /// <summary>Holds the lock of the home; null if this only plans. Nothing is made for what no domain can be.</summary>
    public async Task<FileLock?> LockAsync(DomainDefinition definition)
    {
        Names.Check("domain", definition.Name);
        DefinitionRules.CheckSources(definition);
        if (!call.Options.PlanOnly)
        {
            DurableFolder.Create(home.Path);
        }

        return await call.LockHomeAsync(home).ConfigureAwait(false);
    }

    /// <summary>Makes a transient domain known, which somebody is about to start. Needs the lock.</summary>
    /// <exception cref="CoppiceException">There is a domain of that uuid (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    public Task<OperationResult> DefineTransientAsync(DomainDefinition definition) =>
        DefineAsync(definition, Persistence.Transient);

    private async Task<OperationResult> DefineAsync(DomainDefinition definition, Persistence persistence)
    {
        var leftovers = await TidiedAsync().ConfigureAwait(false);
        return await call.TellingAsync(leftovers, () => DefineTidiedAsync(definition, persistence)).ConfigureAwait(false);
    }

    private async Task<OperationResult> DefineTidiedAsync(DomainDefinition definition, Persistence persistence)
    {
        var folder = home.Domain(definition.Id);
        var store = new CatalogStore(folder);
        if (store.Exists && persistence is Persistence.Transient)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"domain '{store.ReadName()}'", $"has the uuid {definition.Id} already",
                "leave the uuid out to run another domain, or start that one");
        }

        if (store.Exists)
        {
            definition = FirmwareVariables.Kept(definition, store.ReadWithDefinition().Definition);
        }

        var sealedOne = await SealAsync(definition).ConfigureAwait(false);
        return store.Exists
            ? await RedefineAsync(folder, sealedOne).ConfigureAwait(false)
            : await DefineAsync(folder, sealedOne, persistence).ConfigureAwait(false);
    }

    /// <summary>With all that the hypervisor would choose.</summary>
    public Task<DomainDefinition> SealAsync(DomainDefinition definition) =>
        call.Home.Hypervisor.SealAsync(definition, call.Cancellation);

    /// <summary>Removes what interrupted commands left, unless this only plans. Needs the lock of the home.</summary>
    public async Task<ImmutableArray<string>> TidiedAsync()
    {
        ImmutableArray<string> leftovers = [];
        if (call.Options.PlanOnly)
        {
            new TransientEnds(call.Home, home).RequireNone(finder.Folders());
        }
        else
        {
            leftovers = await new Leftovers(call.Home, home).TidyAsync().ConfigureAwait(false);
        }

        finder.RequireAllReadable();
        return leftovers;
    }

    private async Task<OperationResult> DefineAsync(DomainFolder folder, DomainDefinition definition, Persistence persistence)
    {
        RequireNoFolder(folder);
        finder.RequireFree(definition.Name, folder, "choose another name, or give that uuid to replace its definition");
        finder.RequireFree($"{definition.Id}", folder, "choose another uuid, or rename that domain");
        definition = FirmwareVariables.Placed(definition, folder, call.Home.Ids);
        var drives = await Drives.NewAsync(definition).ConfigureAwait(false);
        var (tpm, made) = Tpm(folder, definition, had: null);
        var mechanism = persistence is Persistence.Transient ? "new domain that is started, and goes when it ends," : "new domain";
        var change = Change(folder, definition, drives, tpm, out var written) with { Persistence = persistence };
        var plan = Plan(folder, definition, mechanism) with { Commit = change };
        plan = plan with { Prepare = [.. drives.Made, .. made, written] };
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
        return Results.Executed(plan, catalog, steps.Runs, []);
    }

    private async Task<OperationResult> RedefineAsync(DomainFolder folder, DomainDefinition definition)
    {
        using var session = await DomainSession.OpenAsync(call, folder).ConfigureAwait(false);
        var observed = await session.ObserveAsync().ConfigureAwait(false);
        definition = FirmwareVariables.Placed(definition, folder, call.Home.Ids);
        if (observed.Hypervisor.IsAlive)
        {
            return await session.ExecuteAsync(
                Planner.Plan(new RedefineRunning($"{definition.Id}", definition), observed, call.Home.Hypervisor, Storage)).ConfigureAwait(false);
        }

        DefinitionRules.RequireRedefinable(definition, observed);
        return await ReplaceAsync(session, observed, definition).ConfigureAwait(false);
    }

    /// <summary>
    /// Gives a domain another definition, and a disk that another domain shares with it. Needs the lock of the home.
    /// </summary>
    public async Task<OperationResult> ReplaceAsync(
        DomainSession session, Observed observed, DomainDefinition definition, SharedDisk? shared = null)
    {
        var folder = observed.Folder;
        var kept = DefinitionRules.Kept(definition, observed.Definition);
        var relied = Relied(observed.Catalog, kept);
        var graph = LayerGraph.Of(observed.Catalog);
        ImmutableArray<ImmutableArray<Layer>> known =
            [.. observed.Catalog.Head.Disks.Where(d => call.Request is AttachDisk || HasMovedOn(d)).Select(d => graph.Chain(d.Layer))];
        known = shared is null ? known : known.Add(shared.Chain);
        var drives = await Drives.OfAsync(definition, known, (relied, observed.Definition)).ConfigureAwait(false);
        var (tpm, made) = Tpm(folder, definition, observed.Catalog.Head.Tpm);
        var keepsDisks = DefinitionRules.HaveSameDisks(definition, observed.Definition);
        var change = Keeping(
            kept, Change(folder, definition, drives, tpm, out var written), observed, LayerGraph.Of(relied));
        var reclaimed = Reclaiming.After(observed, call.Home.Hypervisor, Storage, change with { Current = observed.Catalog.Current });
        var plan = Plan(folder, definition, keepsDisks ? "another definition, the same disks" : "another definition, other disks") with
        {
            Prepare = [.. shared?.Steps ?? [], .. drives.Made, .. made, written],
            Commit = reclaimed.Change,
            CleanUp =
            [
                .. EndedProcess(observed) is { } ended ? [call.Home.Hypervisor.End(ended)] : Array.Empty<Step>(),
                .. reclaimed.Removals,
            ],
        };
        if (call.Request is AttachDisk)
        {
            var added = drives.Chains.First(c => observed.Definition.DisksAndFlash.All(d => d.Target != c[0].Disk));
            plan = DiskPlugging.Plugged(
                plan with { Mechanism = $"a disk more on {added[0].Path}" }, observed, call.Home.Hypervisor, definition,
                new DiskChain(added[0].Disk, added).Beside(observed.Catalog.Head.Disks.SelectMany(d => graph.Chain(d.Layer))));
        }

        return await session.ExecuteAsync(Planner.Whole(observed, Merging.Around(observed, call.Home.Hypervisor, plan))).ConfigureAwait(false);

        // The image that the definition names is frozen then, and forks may share it.
        bool HasMovedOn(HeadDisk disk) => kept.Contains(disk.Target) && graph[disk.Layer] is var layer
            && (layer.Origin is not LayerOrigin.User || definition.DisksAndFlash.First(d => d.Target == disk.Target).Source != layer.Path);
    }

    private static ShortId? EndedProcess(Observed observed) => observed.Hypervisor.IsAlive ? null : observed.Catalog.Head.Process;

    private Plan Plan(DomainFolder folder, DomainDefinition definition, string mechanism) => new()
    {
        Id = call.Home.Ids.NextShort(),
        Operation = call.Request.Operation,
        Domain = definition.Id,
        Mechanism = $"{mechanism} in {folder.Path}",
    };

    /// <summary>What the TPM keeps: what it had, or what a new one has.</summary>
    private (ShortId? State, ImmutableArray<Step> Made) Tpm(DomainFolder folder, DomainDefinition definition, ShortId? had)
    {
        if (definition.Tpm is null || had is not null)
        {
            return (had, []);
        }

        var state = call.Home.Ids.NextShort();
        return (state, [call.Home.Hypervisor.CreateTpm(folder, state)]);
    }

    private CatalogChange Change(
        DomainFolder folder, DomainDefinition definition, DriveSearch.FoundDrives drives, ShortId? tpm, out Step written)
    {
        var id = call.Home.Ids.NextShort();
        written = Storage.WriteFile(folder.Definition(id), DomainXml.Format(definition));
        return new CatalogChange
        {
            Head = new Head
            {
                Definition = id, Disks = [.. drives.Chains.Select(chain => new HeadDisk(chain[0].Disk, chain[0].Id))], Tpm = tpm,
            },
            Current = null,
            PutLayers = [.. drives.Chains.SelectMany(chain => chain).DistinctBy(l => l.Id)],
        };
    }

    /// <summary>The disks that stay, where snapshots have led them; the others follow the definition.</summary>
    private static CatalogChange Keeping(
        ImmutableHashSet<string> kept, CatalogChange change, Observed observed, LayerGraph relied) => change with
    {
        Head = change.Head with
        {
            Process = observed.Hypervisor.IsAlive ? observed.Catalog.Head.Process : null,
            Disks = [.. change.Head.Disks.Select(d => kept.Contains(d.Target) ? observed.Catalog.Head.Disks.First(h => h.Target == d.Target) : d)],
        },
        PutLayers = [.. change.PutLayers.Where(l => !kept.Contains(l.Disk) && !IsKnown(l, relied))],
    };

    /// <summary>Whether a snapshot or tip has an image already.</summary>
    private static bool IsKnown(Layer layer, LayerGraph relied)
    {
        if (!relied.Has(layer.Id))
        {
            return false;
        }

        var known = relied[layer.Id];
        return (known.Format, known.Parent) == (layer.Format, layer.Parent) ? true : throw new CoppiceException(
            ErrorKind.InvalidInput, $"image {layer.Path}", "is known to a snapshot in another format, or on another image",
            "define it as it was, or make a copy of it with: qemu-img convert");
    }

    /// <summary>The catalog as far as it is needed still: by the drives that stay, by tips, and by what snapshots keep.</summary>
    private static Catalog Relied(Catalog catalog, ImmutableHashSet<string> kept)
    {
        var needed = catalog with
        {
            Head = catalog.Head with { Disks = [.. catalog.Head.Disks.Where(d => kept.Contains(d.Target))] },
        };
        var relied = LayerGraph.Of(needed).Relied().Select(l => l.Id).ToHashSet();
        return needed with { Layers = [.. catalog.Layers.Where(l => relied.Contains(l.Id))] };
    }
}
