using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Tests.Resolving;

namespace Coppice.Tests.Planning;

/// <summary>A domain on paper: plans are made and their changes applied to the catalog, nothing else happens.</summary>
internal sealed class Model
{
    private static readonly PaperDrivers s_drivers = new();
    private readonly Dictionary<ShortId, string> _merged = [];
    private int _ids;
    private int _seconds;

    public Model(Scene scene)
    {
        Observed = scene.Observe() with { Ids = new IdSource(NextId) };
        Observed = Observed with
        {
            Definitions = ImmutableDictionary<ShortId, DomainDefinition>.Empty.Add(Observed.Catalog.Head.Definition, Observed.Definition),
            Catalog = Observed.Catalog with
            {
                Head = Observed.Catalog.Head with { Process = scene.IsAlive ? new ShortId("aaaaaaaa") : null },
            },
        };
        Observed = Observed with { Hypervisor = Observed.Hypervisor with { ActiveImages = Active(Catalog) } };
    }

    public Observed Observed { get; private set; }

    public Catalog Catalog => Observed.Catalog;

    public LayerGraph Graph => LayerGraph.Of(Catalog);

    /// <summary>When the guest last wrote to its disks; null if it writes all the time.</summary>
    public DateTimeOffset? WrittenAt { get; init; }

    /// <summary>The layers that a guest may have written to.</summary>
    public HashSet<ShortId> Written { get; } = [];

    /// <summary>Whether the storage can tell that nothing was written to a layer.</summary>
    public bool KnowsWrites { get; init; }

    /// <summary>What merges would write, by the lower layer; null if none can be measured, so that none comes about.</summary>
    public Func<Layer, MergeCost>? CostOf { get; set; }

    public Plan Plan(DomainRequest request) => Planner.Plan(request, Observed, s_drivers, s_drivers);

    public Plan Run(DomainRequest request)
    {
        var plan = Plan(request);
        if (plan.Commit is { } change)
        {
            Apply(change, plan.Id, OperationEnd.Committed);
        }

        return plan;
    }

    public void Apply(CatalogChange change, ShortId operation, OperationEnd end)
    {
        var catalog = change.ApplyTo(Catalog, new LastOperation(operation, end));
        var alive = catalog.Head.Process is not null;
        var stays = Observed.Hypervisor.State is DomainState.Paused && catalog.Head.Process == Catalog.Head.Process;
        var state = !alive ? DomainState.Off : stays || catalog.Head.SameAs is not null ? DomainState.Paused : DomainState.Running;
        var layers = LayerGraph.Of(catalog).All;
        Observed = Observed with
        {
            Catalog = catalog,
            Now = Observed.Now.AddSeconds(++_seconds),
            Hypervisor = new HypervisorObservation { State = state, IsAlive = alive, ActiveImages = Active(catalog) }.For(catalog.Head),
            Files = CostOf is null ? Observed.Files : layers.DistinctBy(l => l.Path).ToImmutableDictionary(l => l.Path, l => new FileObservation(l.Path, default)),
            MergeCosts = CostOf is null ? Observed.MergeCosts : layers.ToImmutableDictionary(l => l.Id, l => new MeasuredMerge(CostOf(l))),
            Merges = catalog.Jobs.ToImmutableDictionary(
                j => j.Id, j => j.Process is null ? MergeObservation.Gone(j.Id) : new MergeObservation(j.Id, MergeState.Ready, default, default)),
        };
        Look();
    }

    /// <summary>Somebody lets the guest stand or run.</summary>
    public void Steer(DomainState state)
    {
        Observed = Observed with { Hypervisor = Observed.Hypervisor with { State = state } };
        Look();
    }

    /// <summary>A guest that runs writes to all its disks.</summary>
    private void Look()
    {
        if (Observed.Hypervisor.State is DomainState.Running)
        {
            Written.UnionWith(Catalog.Head.Disks.Select(d => d.Layer));
        }

        Observed = Observed with
        {
            Layers = Catalog.Head.Disks.ToImmutableDictionary(
                d => d.Layer, d => new LayerObservation
                {
                    Layer = d.Layer, Exists = true, IsEmpty = KnowsWrites && !Written.Contains(d.Layer),
                    OverlayFolder = Observed.Folder.Images(d.Target), WrittenAt = WrittenAt ?? Observed.Now.AddSeconds(1),
                }),
        };
    }

    /// <summary>Everything is on one file system, of which so much is free.</summary>
    public void HaveRoom(ByteCount free, ByteCount capacity) => Observed = Observed with
    {
        Layers = Observed.Layers.ToImmutableDictionary(
            l => l.Key, l => l.Value with { Free = free, Capacity = capacity, FreeForMemory = free, CapacityForMemory = capacity }),
    };

    /// <summary>One layer has what two had.</summary>
    public void Merge(MergeJob job) => _merged[job.Kept] = $"{Own(Graph[job.Upper])}<{Own(Graph[job.Lower])}";

    /// <summary>What a snapshot means: the chain of each disk it keeps. It must never change.</summary>
    public string Content(Snapshot snapshot) => string.Join("; ", snapshot.Disks.Where(d => d.IsKept).Select(d => Content(d.Layer)));

    /// <summary>What a layer shows: what was written to it and to all below, in whichever files that is by now.</summary>
    public string Content(ShortId layer) => string.Join("<", Graph.Chain(layer).Select(Own));

    private string Own(Layer layer) => layer.Inside is { } place
        ? $"{layer.Path}{place.Tag}"
        : _merged.TryGetValue(layer.Id, out var merged) ? merged : layer.Path;

    private static ImmutableDictionary<string, string> Active(Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        return catalog.Head.Disks.ToImmutableDictionary(d => d.Target, d => graph[d.Layer].Path);
    }

    private void NextId(Span<byte> bytes)
    {
        bytes.Clear();
        BitConverter.TryWriteBytes(bytes, ++_ids);
    }
}
