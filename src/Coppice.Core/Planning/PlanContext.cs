using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What every planner reads, and what they all ask of it.</summary>
internal sealed record PlanContext(Request Request, Observed Observed, IHypervisor Hypervisor, IStorage Storage)
{
    private readonly Lazy<LayerGraph> _graph = new(() => LayerGraph.Of(Observed.Catalog));

    public Catalog Catalog => Observed.Catalog;

    public Head Head => Observed.Catalog.Head;

    public LayerGraph Graph => _graph.Value;

    public DomainState State => Observed.Hypervisor.State;

    public string Subject => $"domain '{Catalog.Name}'";

    /// <summary>The process that runs the domain; null if it is off, also when a recorded process has died.</summary>
    public ShortId? LiveProcess => Observed.Hypervisor.IsAlive ? Head.Process : null;

    /// <summary>The change that leaves everything as it is.</summary>
    public CatalogChange NoChange => new() { Head = Head, Current = Catalog.Current };

    /// <summary>The head once it may differ from every snapshot (R168).</summary>
    public Head DirtyHead => Head with { SameAs = null };

    /// <summary>The change that says so before anything else is done; null if it is on record already.</summary>
    public CatalogChange? Dirtied => Head.SameAs is null ? null : NoChange with { Head = DirtyHead };

    /// <summary>The process of a domain that must be active.</summary>
    /// <exception cref="CoppiceException">It is off (<see cref="ErrorKind.WrongState"/>).</exception>
    public ShortId RequireActive() => LiveProcess
        ?? throw new CoppiceException(ErrorKind.WrongState, Subject, "is not running", $"start it with: coppice start {Catalog.Name}");

    /// <summary>
    /// The layer of a disk of the head that holds what would be lost with it: what was written since the last snapshot, or since
    /// one that is no longer known. Null if a snapshot, a tip, another domain or the user has all of it.
    /// </summary>
    public Layer? OnlyCopy(HeadDisk disk) => Graph.OnlyOf(disk).FirstOrDefault(
        l => (l.Id != disk.Layer || Observed.MayHoldWrites(l.Id)) && !Observed.IsKeptElsewhere(l)) ?? LeftInside(disk);

    /// <summary>
    /// The layer that a disk of the head writes, if its file stays only for the snapshots inside: what it holds beside them is
    /// nobody's then.
    /// </summary>
    private Layer? LeftInside(HeadDisk disk)
    {
        var isNamed = Catalog.Snapshots.Values.SelectMany(s => s.Disks.Where(d => d.IsKept)).Select(d => d.Layer)
            .Concat(Catalog.Tips.SelectMany(t => t.Head.Disks).Select(d => d.Layer))
            .Contains(disk.Layer);
        return !isNamed && Graph[disk.Layer] is { Origin: LayerOrigin.Coppice } own && Graph.All.Any(l => l.Inside?.Holder == own.Id)
            && Observed.MayHoldWrites(own.Id) && !Observed.IsKeptElsewhere(own)
                ? own
                : null;
    }

    /// <summary>
    /// Refuses while the process lacks a disk or card that the domain has: memory that is kept now would not fit it.
    /// </summary>
    /// <exception cref="CoppiceException">One was let go of (<see cref="ErrorKind.WrongState"/>).</exception>
    public void RequireWhole()
    {
        if (Observed.Hypervisor.Unplugged.Order(StringComparer.Ordinal).FirstOrDefault() is { } target)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"disk '{target}' of {Subject}", "is gone from its guest, and the domain has it on record still",
                $"finish that: coppice disk detach {Catalog.Name} {target}");
        }

        foreach (var place in Observed.Hypervisor.GoneCards)
        {
            RequireCard(place);
        }
    }

    /// <summary>Refuses what is about a network card that the process lacks.</summary>
    /// <exception cref="CoppiceException">It was let go of (<see cref="ErrorKind.WrongState"/>).</exception>
    public void RequireCard(int place)
    {
        if (Observed.Hypervisor.GoneCards.Contains(place))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"network card {Cabling.Named(place)} of {Subject}",
                "is gone from its guest, and the domain has it on record still",
                $"finish that: coppice link {Catalog.Name} {Cabling.Named(place)} new");
        }
    }

    public Plan Plan(string mechanism) => new()
    {
        Id = Observed.Ids.NextShort(),
        Operation = Request.Operation,
        Domain = Catalog.Domain,
        Mechanism = mechanism,
    };

    /// <summary>The chains of a head, as a process needs them.</summary>
    /// <param name="disks">The disks of the head.</param>
    /// <param name="made">Layers that the plan makes and the catalog does not know yet.</param>
    public ImmutableArray<DiskChain> Chains(IEnumerable<HeadDisk> disks, IReadOnlyCollection<Layer> made) =>
        [.. disks.Select(d => new DiskChain(d.Target, Chain(d.Layer, made)))];

    /// <summary>A layer of the head as large as its image is now: somebody may have made it larger.</summary>
    public Layer Current(ShortId layer)
    {
        var recorded = Graph[layer];
        var size = Observed.Layers.GetValueOrDefault(layer)?.VirtualSize ?? default;
        return size.Bytes > 0 ? recorded with { VirtualSize = size } : recorded;
    }

    /// <summary>The layer of a disk that the guest writes to, as large as its image is now.</summary>
    /// <exception cref="CoppiceException">There is no such disk (<see cref="ErrorKind.NotFound"/>).</exception>
    public Layer Writable(string target)
    {
        var disks = Observed.Definition.Disks.Where(d => d.IsWritten).Select(d => d.Target).ToArray();
        return disks.Contains(target)
            ? Current(Head.Disks.First(d => d.Target == target).Layer)
            : throw new CoppiceException(
                ErrorKind.NotFound, $"disk '{target}' of {Subject}", "is none that the guest writes to",
                $"name one of: {string.Join(", ", disks)}");
    }

    /// <summary>The version of the hypervisor that would write memory now; null if none is to be written.</summary>
    public string? WriterOf(MemoryMode mode) => mode is MemoryMode.None ? null : Observed.Hypervisor.Version;

    /// <summary>The layers that have no name in a catalog, this one or what a plan makes of it.</summary>
    public ImmutableArray<UnnamedLayer> UnnamedIn(Catalog catalog) => Merging.UnnamedIn(Observed, catalog);

    /// <summary>The snapshot a user named.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>).</exception>
    public Snapshot Find(string nameOrId) => Catalog.Find(nameOrId);

    private ImmutableArray<Layer> Chain(ShortId top, IReadOnlyCollection<Layer> made)
    {
        var fresh = made.FirstOrDefault(l => l.Id == top);
        var chain = fresh is null ? Graph.Chain(top) : [fresh, .. fresh.Parent is { } parent ? Graph.Chain(parent) : []];
        return chain.Length <= LayerGraph.MaximumDepth
            ? chain
            : throw new CoppiceException(
                ErrorKind.WrongState,
                $"disk '{chain[0].Disk}' of {Subject}",
                $"its chain would have {chain.Length} layers, more than {LayerGraph.MaximumDepth}",
                "delete snapshots that are no longer needed");
    }
}
