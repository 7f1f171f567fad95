using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>The layers of a catalog and who reaches them.</summary>
public sealed class LayerGraph
{
    /// <summary>The longest chain that is planned; QEMU's queries take seconds beyond it.</summary>
    public const int MaximumDepth = 64;

    private readonly FrozenDictionary<ShortId, Layer> _layers;
    private readonly Catalog _catalog;

    /// <summary>Indexes the layers of a catalog.</summary>
    /// <exception cref="CoppiceException">A layer is listed twice (<see cref="ErrorKind.Damaged"/>).</exception>
    public LayerGraph(Catalog catalog)
    {
        _catalog = catalog;
        var layers = new Dictionary<ShortId, Layer>();
        foreach (var layer in catalog.Layers.Concat(catalog.Snapshots.Values.SelectMany(s => s.Layers)))
        {
            if (!layers.TryAdd(layer.Id, layer))
            {
                throw Damaged($"layer {layer.Id} is listed twice");
            }
        }

        _layers = layers.ToFrozenDictionary();
    }

    /// <summary>All layers.</summary>
    public ImmutableArray<Layer> All => _layers.Values;

    /// <summary>A layer by its id.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.Damaged"/>).</exception>
    public Layer this[ShortId id] => _layers.TryGetValue(id, out var layer) ? layer : throw Damaged($"layer {id} is missing");

    /// <summary>Whether a layer is known.</summary>
    public bool Has(ShortId id) => _layers.ContainsKey(id);

    /// <summary>A layer and all that it builds on, top first.</summary>
    /// <exception cref="CoppiceException">A layer is missing or the chain runs in a circle (<see cref="ErrorKind.Damaged"/>).</exception>
    public ImmutableArray<Layer> Chain(ShortId top)
    {
        var chain = ImmutableArray.CreateBuilder<Layer>();
        for (ShortId? id = top; id is { } next; id = chain[^1].Parent)
        {
            if (chain.Count > _layers.Count)
            {
                throw Damaged($"the chain of layer {top} runs in a circle");
            }

            chain.Add(this[next]);
        }

        return chain.ToImmutable();
    }

    /// <summary>
    /// The layers that no snapshot, head or tip reaches. A disk that took no part in a snapshot is not kept by it; but where the
    /// user's own image is, is not forgotten.
    /// </summary>
    public ImmutableArray<Layer> Unreached()
    {
        var reached = Reached(Roots().Concat(_catalog.Snapshots.Values.SelectMany(s => s.Disks).Where(IsRemembered).Select(d => d.Layer)));
        return [.. _layers.Values.Where(l => !reached.Contains(l.Id)).OrderBy(l => l.Path, StringComparer.Ordinal)];
    }

    /// <summary>The layers that head, tips and what snapshots keep rely on.</summary>
    public ImmutableArray<Layer> Relied()
    {
        var reached = Reached(Roots());
        return [.. _layers.Values.Where(l => reached.Contains(l.Id))];
    }

    /// <summary>The layers that Coppice made and that only one disk of the head reaches, top first: they would go with it.</summary>
    public ImmutableArray<Layer> OnlyOf(HeadDisk disk)
    {
        var without = _catalog with { Head = _catalog.Head with { Disks = _catalog.Head.Disks.Remove(disk) } };
        var gone = new LayerGraph(without).Unreached().Select(l => l.Id).ToHashSet();
        return [.. Chain(disk.Layer).Where(l => l.Origin is LayerOrigin.Coppice && gone.Contains(l.Id))];
    }

    private HashSet<ShortId> Reached(IEnumerable<ShortId> roots)
    {
        var reached = new HashSet<ShortId>();
        var open = new Stack<ShortId>(roots);
        while (open.TryPop(out var id))
        {
            if (reached.Add(id))
            {
                var layer = this[id];
                ShortId?[] below = [layer.Parent, layer.Inside?.Holder];
                foreach (var next in below.OfType<ShortId>())
                {
                    open.Push(next);
                }
            }
        }

        return reached;
    }

    private IEnumerable<ShortId> Roots() =>
        _catalog.Head.Disks.Select(d => d.Layer)
            .Concat(_catalog.Tips.SelectMany(t => t.Head.Disks).Select(d => d.Layer))
            .Concat(_catalog.Snapshots.Values.SelectMany(s => s.Disks).Where(d => d.IsKept).Select(d => d.Layer))
            .Concat(_catalog.Snapshots.Values.Select(s => s.Memory.Layer).OfType<ShortId>());

    private bool IsRemembered(DiskSnapshot disk) =>
        !disk.IsKept && _layers.TryGetValue(disk.Layer, out var layer) && layer.Origin is LayerOrigin.User;

    private CoppiceException Damaged(string problem) => new(
        ErrorKind.Damaged, $"domain '{_catalog.Name}'", problem, "restore its catalog from a backup");
}
