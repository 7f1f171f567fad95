using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Tests.Resolving;

namespace Coppice.Tests.Planning;

/// <summary>A domain on paper: plans are made and their changes applied to the catalog, nothing else happens.</summary>
internal sealed class Model
{
    private static readonly PaperDrivers s_drivers = new();
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

    public LayerGraph Graph => new(Catalog);

    /// <summary>When the guest last wrote to its disks; null if it writes all the time.</summary>
    public DateTimeOffset? WrittenAt { get; init; }

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
        Observed = Observed with
        {
            Catalog = catalog,
            Now = Observed.Now.AddSeconds(++_seconds),
            Hypervisor = new HypervisorObservation { State = alive ? DomainState.Running : DomainState.Off, IsAlive = alive, ActiveImages = Active(catalog) }.For(catalog.Head),
            Layers = catalog.Head.Disks.ToImmutableDictionary(
                d => d.Layer, d => new LayerObservation { Layer = d.Layer, Exists = true, OverlayFolder = Observed.Folder.Images(d.Target), WrittenAt = WrittenAt ?? Observed.Now.AddSeconds(1) }),
        };
    }

    /// <summary>What a snapshot means: the chain of each disk it keeps. It must never change.</summary>
    public string Content(Snapshot snapshot) => string.Join(
        "; ", snapshot.Disks.Where(d => d.IsKept).Select(d => string.Join("<", Graph.Chain(d.Layer).Select(l => $"{l.Path}{l.Inside?.Tag}"))));

    private static ImmutableDictionary<string, string> Active(Catalog catalog)
    {
        var graph = new LayerGraph(catalog);
        return catalog.Head.Disks.ToImmutableDictionary(d => d.Target, d => graph[d.Layer].Path);
    }

    private void NextId(Span<byte> bytes)
    {
        bytes.Clear();
        BitConverter.TryWriteBytes(bytes, ++_ids);
    }
}
