using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;

namespace Coppice.Core;

/// <summary>The layers of a catalog and who reaches them.</summary>
public sealed class LayerGraph
{
    /// <summary>The longest chain that is planned; QEMU's queries take seconds beyond it.</summary>
    public const int MaximumDepth = 64;

    /// <summary>The length of a chain from which on the user is told to delete snapshots.</summary>
    public const int DepthToWarnAt = 32;

    private static readonly ConditionalWeakTable<Catalog, LayerGraph> s_graphs = [];

    private readonly FrozenDictionary<ShortId, Layer> _layers;
    private readonly Catalog _catalog;

    private LayerGraph(Catalog catalog)
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

    /// <summary>The layers of a catalog. They are indexed once for each, however often this is asked for.</summary>
    /// <exception cref="CoppiceException">A layer is listed twice (<see cref="ErrorKind.Damaged"/>).</exception>
    public static LayerGraph Of(Catalog catalog) => s_graphs.GetValue(catalog, static c => new LayerGraph(c));

    /// <summary>All layers.</summary>
    public ImmutableArray<Layer> All => _layers.Values;

    /// <summary>A layer by its id.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.Damaged"/>).</exception>
    public Layer this[ShortId id] => _layers.TryGetValue(id, out var layer) ? layer : throw Damaged($"layer {id} is missing");

    /// <summary>Whether a layer is known.</summary>
    public bool Has(ShortId id) => _layers.ContainsKey(id);

    /// <summary>A layer and all that it builds on, top first.</summary>
    /// <exception cref="CoppiceException">A layer is missing or the chain runs in a circle
    /// (<see cref="ErrorKind.Damaged"/>).</exception>
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

    /// <summary>The layers of a chain that have files of their own, top first.</summary>
    /// <exception cref="CoppiceException">As <see cref="Chain"/>.</exception>
    public IEnumerable<Layer> FileChain(ShortId top) => Chain(top).Where(l => l.Inside is null);

    /// <summary>
    /// The layers that no snapshot, head, tip, loan or copy being made reaches. A disk that took no part in a snapshot is not kept by it; but
    /// where the user's own image is, is not forgotten.
    /// </summary>
    public ImmutableArray<Layer> Unreached()
    {
        var reached = Reached(Roots().Concat(_catalog.Snapshots.Values.SelectMany(s => s.Disks).Where(IsRemembered).Select(d => d.Layer)));
        return [.. _layers.Values.Where(l => !reached.Contains(l.Id)).OrderBy(l => l.Path, StringComparer.Ordinal)];
    }

    /// <summary>The layers that head, tips, borrowers and what snapshots keep rely on.</summary>
    public ImmutableArray<Layer> Relied()
    {
        var reached = Reached(Roots());
        return [.. _layers.Values.Where(l => reached.Contains(l.Id))];
    }

    /// <summary>The layers that a snapshot, the head or a tip has as its own. What is only built upon has no name.</summary>
    public ImmutableHashSet<ShortId> Named() => [.. Roots()];

    /// <summary>The layers with files of their own that build on one.</summary>
    public ImmutableArray<Layer> BuiltOn(ShortId layer) => [.. _layers.Values.Where(l => l.Parent == layer && l.Inside is null)];

    /// <summary>The layers that others build on or are inside of, or that somebody has, and that are not there: none, but in a damaged catalog.</summary>
    public ImmutableArray<ShortId> Missing()
    {
        var named = Roots()
            .Concat(_layers.Values.SelectMany(IEnumerable<ShortId?> (l) => [l.Parent, l.Inside?.Holder]).OfType<ShortId>())
            .Concat(_catalog.Jobs.SelectMany(IEnumerable<ShortId> (j) => [j.Lower, j.Upper]))
            .Concat(_catalog.Mirrors.SelectMany(IEnumerable<ShortId> (m) => [m.Source, m.Target]));
        return [.. named.Where(id => !Has(id)).Distinct()];
    }

    /// <summary>The layers that other domains use, with all that these build on.</summary>
    public ImmutableHashSet<ShortId> Lent() => [.. Reached(_catalog.Loans.Select(l => l.Layer))];

    /// <summary>
    /// The layers that Coppice made and that only one disk of the head reaches, top first: they would go with it.
    /// </summary>
    public ImmutableArray<Layer> OnlyOf(HeadDisk disk)
    {
        var without = _catalog with { Head = _catalog.Head with { Disks = _catalog.Head.Disks.Remove(disk) } };
        var gone = new LayerGraph(without).Unreached().Select(l => l.Id).ToHashSet();
        return [.. Chain(disk.Layer).Where(l => l.Origin is LayerOrigin.Coppice && gone.Contains(l.Id))];
    }

    /// <summary>The files that Coppice made and that only one tip reaches: they would go with it.</summary>
    public IEnumerable<string> OnlyOf(Tip tip)
    {
        ArgumentNullException.ThrowIfNull(tip);
        var without = _catalog with { Tips = _catalog.Tips.RemoveAll(t => t.Id == tip.Id) };
        var layers = new LayerGraph(without).Unreached().Except(Unreached())
            .Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null }).Select(l => l.Path);
        var memories = MemoryFiles(_catalog).Except(MemoryFiles(without), StringComparer.Ordinal);
        return layers.Concat(memories);

        static IEnumerable<string> MemoryFiles(Catalog catalog) =>
            catalog.Memories.Where(m => m.Origin is LayerOrigin.Coppice).Select(m => m.File).OfType<string>();
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
            .Concat(_catalog.Snapshots.Values.Select(s => s.Memory.Layer).OfType<ShortId>())
            .Concat(_catalog.Mirrors.Where(m => m.Kind is not MirrorKind.Commit).Select(m => m.Target))
            .Concat(_catalog.Loans.Select(l => l.Layer));

    private bool IsRemembered(DiskSnapshot disk) =>
        !disk.IsKept && _layers.TryGetValue(disk.Layer, out var layer) && layer.Origin is not LayerOrigin.Coppice;

    private CoppiceException Damaged(string problem) => new(
        ErrorKind.Damaged, $"domain '{_catalog.Name}'", problem, "restore its catalog from a backup");
}
