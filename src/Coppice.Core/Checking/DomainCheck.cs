using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Compares the catalog of a domain with what there is: files, image tables, links, loans and processes. Pure: what it needs to know was
/// read before, and what mends a finding is a list of steps.
/// </summary>
public static class DomainCheck
{
    /// <summary>What is wrong with a domain, the worst first.</summary>
    /// <param name="domain">What was read.</param>
    /// <param name="hypervisor">Makes the steps that mend.</param>
    /// <param name="storage">Makes the steps that mend.</param>
    public static ImmutableArray<Finding> Findings(CheckedDomain domain, IHypervisor hypervisor, IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(domain);
        ArgumentNullException.ThrowIfNull(hypervisor);
        ArgumentNullException.ThrowIfNull(storage);
        var findings = domain.Found
            .Concat(Chains(domain))
            .Concat(Merges(domain))
            .Concat(Unnamed(domain))
            .Concat(Others(domain))
            .Concat(domain.Rewritten.Select(r => new Finding(
                FindingKind.Rewritten, $"image {r.Layer.Path}", OutsideChanges.Told(domain.Catalog, r),
                "if it was only copied, take it as it is with --force of start or revert; else restore it from a backup")))
            .Concat(Tables(domain, storage))
            .Concat(Internals(domain))
            .Concat(SharedHeads(domain))
            .Concat(domain.Unlent.Select(u => new Finding(
                FindingKind.Unlent, $"image {u.Layer.Path} of disk '{u.Layer.Disk}'",
                $"is borrowed from domain '{u.Owner}', which does not know and may change or remove it", "let it know: coppice check --repair")))
            .Concat(Process(domain))
            .Concat(Processes(domain, hypervisor))
            .Concat(OrphanSearch.In(domain, hypervisor, storage));
        return Finding.Sorted(findings.Select(f => f with { Domain = domain.Catalog.Name }));
    }

    /// <summary>A plan that mends what was found.</summary>
    /// <param name="domain">What was read.</param>
    /// <param name="orphans">Also what may be a forgotten snapshot's.</param>
    /// <param name="operation">The id of the operation.</param>
    /// <param name="hypervisor">Makes the steps.</param>
    /// <param name="storage">Makes the steps.</param>
    public static Plan Repair(CheckedDomain domain, bool orphans, ShortId operation, IHypervisor hypervisor, IStorage storage)
    {
        ArgumentNullException.ThrowIfNull(domain);
        var findings = Findings(domain, hypervisor, storage).Where(f => !f.Repair.IsEmpty).ToArray();
        var kept = orphans ? [] : findings.Where(f => f.Forgets).Select(f => f.Subject).ToArray();
        return new Plan
        {
            Id = operation,
            Operation = new RepairDomain("", orphans).Operation,
            Domain = domain.Catalog.Domain,
            Mechanism = "remove what is left over",
            CleanUp = [.. findings.Where(f => orphans || !f.Forgets).SelectMany(f => f.Repair)],
            Warnings = kept.Length == 0
                ? []
                : [$"{kept.Length} files that no catalog names stay: --orphans removes them, and what a forgotten snapshot kept with them"],
        };
    }

    /// <summary>Chains on one image that is gone are one finding.</summary>
    private static IEnumerable<Finding> Chains(CheckedDomain domain) => domain.Refusals.Values
        .Select(e => new Finding(KindOf(e), e.Subject, e.Problem, e.NextStep.Length > 0 ? e.NextStep : "restore it from a backup"))
        .DistinctBy(f => (f.Subject, f.Problem));

    private static IEnumerable<Finding> Merges(CheckedDomain domain) => domain.Catalog.Jobs.Select(j => new Finding(
        FindingKind.Busy, $"merge {j.Id} of disk '{j.Disk}'", "is on record, so that the images it changes were not judged",
        $"check again when it is done: coppice job wait {domain.Catalog.Name}"));

    /// <summary>Those of merges on record are told with these.</summary>
    private static IEnumerable<Finding> Unnamed(CheckedDomain domain)
    {
        var used = domain.NamedByOthers ?? [.. domain.Named.Values.Select(f => f.Identity)];
        var seen = domain.Hypervisor ?? new HypervisorObservation { State = DomainState.Running, IsAlive = true };
        return LeftLayer.Of(domain.Catalog, domain.Named, used, seen, ImmutableDictionary<ShortId, MergeObservation>.Empty)
            .Where(l => domain.Catalog.Jobs.All(j => j.Lower != l.Layer.Id))
            .Select(l => new Finding(
                FindingKind.Unnamed, $"layer {l.Layer.Path} of disk '{l.Layer.Disk}'", $"has no name: {l.Reason}", l.NextStep));
    }

    private static FindingKind KindOf(CoppiceException refusal) => refusal.Kind switch
    {
        ErrorKind.NotFound => FindingKind.Missing,
        ErrorKind.Damaged or ErrorKind.Forbidden => FindingKind.Altered,
        _ => FindingKind.Unreadable,
    };

    /// <summary>Memory, and what TPMs kept. Definitions are found to be missing when they are read.</summary>
    private static IEnumerable<Finding> Others(CheckedDomain domain)
    {
        var catalog = domain.Catalog;
        var memories = catalog.Memories.Select(m => m.File).OfType<string>().Distinct()
            .Where(path => !domain.Named.ContainsKey(path))
            .Select(path => new Finding(
                FindingKind.Missing, $"memory image {path}",
                $"is missing, and {Users(catalog, m => m.File == path)} cannot go on from it",
                "restore it from a backup; the disks can still be reverted to with another snapshot of them"));
        var tpms = catalog.Tpms.Where(id => !domain.Named.ContainsKey(domain.Folder.Tpm(id)))
            .Select(id => new Finding(
                FindingKind.Missing, $"TPM {domain.Folder.Tpm(id)}", "is missing, and a new one would not have the guest's keys",
                "restore the folder from a backup"));
        return memories.Concat(tpms);
    }

    private static string Users(Catalog catalog, Func<MemoryImage, bool> isMeant)
    {
        var names = catalog.Snapshots.Values.Where(s => isMeant(s.Memory)).Select(s => $"snapshot '{s.Name}'").Order(StringComparer.Ordinal)
            .Concat(catalog.Tips.Where(t => isMeant(t.Memory)).Select(t => $"tip {t.Id}"));
        return string.Join(", ", names.DefaultIfEmpty("the saved domain"));
    }

    private static IEnumerable<Finding> Tables(CheckedDomain domain, IStorage storage)
    {
        var graph = LayerGraph.Of(domain.Catalog);
        foreach (var (id, health) in domain.Health)
        {
            var layer = graph[id];
            if (health is ImageHealth.Corrupt)
            {
                yield return new Finding(
                    FindingKind.Corrupt, $"image {layer.Path} of disk '{layer.Disk}'", "contradicts itself: its tables are damaged",
                    "restore it from a backup; 'qemu-img check -r all' makes a copy of it readable again, whatever it then holds");
            }
            else if (health is ImageHealth.Leaking)
            {
                var isOurs = layer.Origin is LayerOrigin.Coppice && domain.Named.GetValueOrDefault(layer.Path) is { Links: 1 };
                yield return new Finding(
                    FindingKind.Leaking, $"image {layer.Path} of disk '{layer.Disk}'", "has clusters that nothing uses; no data is concerned",
                    isOurs ? "give them back: coppice check --repair" : "they only take room: leave the image, since others may rely on it")
                {
                    Repair = isOurs ? [storage.RepairLeaks(layer)] : [],
                };
            }
        }
    }

    /// <summary>
    /// Internal snapshots that the catalog does not have. Each is one finding, whichever disks hold it (R52, R56); one that a
    /// snapshot has and an image has not is found by its chain (R55). Those in an image that is also another domain's, such as
    /// the original of a fork, may well be in a snapshot of that one.
    /// </summary>
    private static IEnumerable<Finding> Internals(CheckedDomain domain)
    {
        var graph = LayerGraph.Of(domain.Catalog);
        var known = graph.All.Where(l => l.Inside is not null).Select(l => (l.Inside!.Holder, l.Inside.Tag)).ToHashSet();
        var unknown =
            from image in domain.Internals
            let layer = graph[image.Key]
            where layer.Origin is not LayerOrigin.Borrowed && domain.Named.GetValueOrDefault(layer.Path) is { Links: 1 }
            from tag in image.Value
            where !known.Contains((image.Key, tag))
            group graph[image.Key] by tag;
        foreach (var (tag, holders) in unknown.Select(g => (g.Key, g.OrderBy(l => l.Path, StringComparer.Ordinal).ToArray())))
        {
            var lacking = domain.Catalog.Head.Disks.Select(d => d.Target).Except(holders.Select(l => l.Disk)).ToArray();
            yield return new Finding(
                FindingKind.UnknownInternal, $"internal snapshot {tag} in {string.Join(", ", holders.Select(l => l.Path))}",
                $"is in no snapshot of the domain{(lacking.Length == 0 ? "" : $", and {string.Join(", ", lacking)} does not have it")}",
                "if nobody needs it: qemu-img snapshot -d, while nothing has the image open");
        }
    }

    /// <summary>A layer that is written, of the head or of a tip, must be nobody else's.</summary>
    private static IEnumerable<Finding> SharedHeads(CheckedDomain domain)
    {
        var graph = LayerGraph.Of(domain.Catalog);
        return domain.Catalog.Tips.Select(t => t.Head).Append(domain.Catalog.Head).SelectMany(h => h.Disks)
            .Where(d => domain.Definition is null || !RevertChecks.IsReadOnly(domain.Definition, d.Target))
            .Select(d => graph[d.Layer]).Where(l => l.Type is StorageType.File).DistinctBy(l => l.Id)
            .Select(l => (Layer: l, Links: domain.Named.GetValueOrDefault(l.Path)?.Links ?? 1)).Where(l => l.Links > 1)
            .Select(l => new Finding(
                FindingKind.Shared, $"image {l.Layer.Path} of disk '{l.Layer.Disk}'",
                $"is written, and has {l.Links} names: whoever uses another of them sees it change",
                $"take a snapshot, so that it is frozen: coppice snapshot create {domain.Catalog.Name}"));
    }

    private static IEnumerable<Finding> Process(CheckedDomain domain)
    {
        if (domain is not { Hypervisor: { IsAlive: true } seen, Definition: { } definition })
        {
            return [];
        }

        var moved = OutsideChanges.Moved(domain.Catalog, definition, seen)
            .Select(e => new Finding(FindingKind.Moved, e.Subject, e.Problem, e.NextStep));
        var unplugged = seen.Unplugged.Order(StringComparer.Ordinal).Select(target => new Finding(
            FindingKind.Unplugged, $"disk '{target}'", "is gone from its guest, and the domain has it on record still",
            $"finish that: coppice disk detach {domain.Catalog.Name} {target}"));
        var cards = seen.GoneCards.Select(Cabling.Named).Select(card => new Finding(
            FindingKind.Unplugged, $"network card {card}", "is gone from its guest, and the domain has it on record still",
            $"finish that: coppice link {domain.Catalog.Name} {card} new"));
        return moved.Concat(unplugged).Concat(cards);
    }

    /// <summary>Processes of the domain that the catalog does not name.</summary>
    private static IEnumerable<Finding> Processes(CheckedDomain domain, IHypervisor hypervisor)
    {
        foreach (var process in domain.Processes.Where(p => !domain.Catalog.Processes.Contains(p.Id)).OrderBy(p => p.Id.Value))
        {
            var run = domain.Folder.Home.Process(process.Id);
            if (process.IsAlive)
            {
                yield return new Finding(
                    FindingKind.Stray, $"process {process.Id}", $"runs in {run}, and no catalog names it: it may write to images of the domain",
                    "if its guest is not needed, end the process whose number is in the file 'pid' there; then check again");
            }
            else if (process.HasEnded)
            {
                yield return new Finding(
                    FindingKind.Leftover, $"run folder {run}", "is of a process that has ended and that nothing names",
                    "remove it: coppice check --repair")
                {
                    Repair = [hypervisor.End(process.Id)],
                };
            }
        }
    }
}
