using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// The layers that a snapshot kept, some of which the catalog still knows. A document is trusted with no path: it may name files
/// only where the domain has files, and only what lies in folders of Coppice's own is removed with the snapshot one day.
/// </summary>
internal sealed class RestoredLayers
{
    private readonly Catalog _catalog;
    private readonly DomainFolder _folder;
    private readonly LayerGraph _graph;
    private readonly string _subject;
    private readonly HashSet<string> _devices, _onlyRead;
    private readonly Dictionary<ShortId, Layer> _layers = [];
    private readonly HashSet<ShortId> _kept = [];

    public RestoredLayers(
        Catalog catalog, DomainFolder folder, IEnumerable<DomainDefinition> definitions, ImmutableArray<Layer> described, string subject)
    {
        _devices = [.. definitions.SelectMany(d => d.Disks).Where(d => d.Type is StorageType.Block).Select(d => d.Source).OfType<string>()];
        _onlyRead = [.. definitions.SelectMany(d => d.Disks).GroupBy(d => d.Target).Where(g => g.All(d => !d.IsWritten)).Select(g => g.Key)];
        (_catalog, _folder, _graph, _subject) = (catalog, folder, LayerGraph.Of(catalog), subject);
        foreach (var layer in described)
        {
            if (_layers.Values.Any(l => IsSamePlace(l, layer)) || !_layers.TryAdd(layer.Id, Fit(layer)))
            {
                throw Refuse(ErrorKind.InvalidInput, $"layer {layer.Id} stands twice in its <cookie>");
            }
        }
    }

    /// <summary>The images of each kept disk, top first.</summary>
    public ImmutableArray<ImmutableArray<Layer>> Chains { get; private set; } = [];

    /// <summary>The layers that the snapshot froze, then those that it made inside images.</summary>
    public ImmutableArray<Layer> Own => [.. _layers.Values.Where(l => _kept.Contains(l.Id)).OrderBy(l => l.Inside is not null)];

    /// <summary>Those that the catalog does not know.</summary>
    public ImmutableArray<Layer> Unknown => [.. _layers.Values.Where(l => !_graph.Has(l.Id))];

    public Layer this[ShortId id] => _layers.TryGetValue(id, out var layer) ? layer
        : _graph.Has(id) ? _graph[id]
        : throw Refuse(ErrorKind.NotFound, $"layer {id} is neither in its <cookie> nor known");

    /// <summary>What the snapshot keeps must be there and be its own.</summary>
    public void Keep(SnapshotContent content)
    {
        foreach (var disk in content.Disks.Where(d => d.IsKept))
        {
            var layer = this[disk.Layer];
            if (layer.Disk != disk.Target || layer.Inside is null != disk.Mode is DiskMode.External)
            {
                throw Refuse(ErrorKind.InvalidInput, $"layer {layer.Id} does not fit disk '{disk.Target}' in its <cookie>");
            }

            Keep(layer);
        }

        if (content.MemoryLayer is { } memory)
        {
            var holder = this[memory];
            Keep(holder.Inside is null ? throw Refuse(ErrorKind.InvalidInput, $"layer {memory} can hold no memory") : holder);
        }

        Chains = [.. _kept.Select(Chain)];
        RequireReached();
        RequireFrozen();
    }

    /// <summary>A memory image lies where the domain has files, and where records are, only in the folder for memory.</summary>
    public void RequireMemoryPlace(string file) =>
        RequirePlace(file, "memory image", _folder.IsOwnMemory(file), _folder.MemoryFolder);

    private void RequirePlace(string file, string what, bool isOwn, string ownFolder)
    {
        var places = _graph.All.Where(l => l.Type is StorageType.File).Select(l => l.Path)
            .Concat(_catalog.Memories.Select(m => m.File).OfType<string>())
            .Where(p => !DevicePath.Names(p)).Select(p => Path.GetDirectoryName(p)!).Append(_folder.Path).Append(_folder.VolumeFolder);
        var isAmongRecords = !isOwn && file.StartsWith($"{_folder.Home.Domains}/", StringComparison.Ordinal);
        var isThere = places.Any(p => file.StartsWith($"{p}/", StringComparison.Ordinal));
        if (Path.GetFullPath(file) != file || isAmongRecords || !isThere)
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, _subject, $"its {what} {file} is in no folder in which domain '{_catalog.Name}' has such files",
                $"move it to one, such as {ownFolder}, and say so in the document");
        }
    }

    private Layer Fit(Layer layer)
    {
        if (_graph.Has(layer.Id))
        {
            var known = _graph[layer.Id];
            return (known.Disk, known.Path, known.Format, known.Parent, known.Inside)
                == (layer.Disk, layer.Path, layer.Format, layer.Parent, layer.Inside)
                ? known
                : throw Refuse(ErrorKind.InvalidInput, $"layer {layer.Id} is known as {known.Path}, not as its <cookie> says");
        }

        if (layer.Type is StorageType.File)
        {
            RequirePlace(layer.Path, "image", _folder.IsOwnLayer(layer.Path), _folder.Images(layer.Disk));
        }
        else if (!_devices.Contains(layer.Path))
        {
            throw Refuse(ErrorKind.Forbidden, $"its device {layer.Path} is no disk of any definition that the domain has");
        }

        if (layer.Inside is { Tag: var tag } && !LayerFileName.IsTag(tag))
        {
            throw Refuse(ErrorKind.Forbidden, $"Coppice gives no internal snapshot the name '{tag}', so that in {layer.Path} is not its own");
        }

        if (_graph.All.FirstOrDefault(l => IsSamePlace(l, layer)) is { } other)
        {
            var what = layer.Inside is { } place ? $"internal snapshot {place.Tag} in {layer.Path}" : $"file {layer.Path}";
            throw Refuse(ErrorKind.AlreadyExists, $"its {what} is layer {other.Id} of disk '{other.Disk}' by now");
        }

        return _folder.IsOwnLayer(layer.Path) || layer.Origin is LayerOrigin.Borrowed ? layer : layer with { Origin = LayerOrigin.User };
    }

    /// <summary>Whether two layers would be the same bytes: one file, or one internal snapshot of one file.</summary>
    private static bool IsSamePlace(Layer one, Layer other) => one.Path == other.Path && one.Inside?.Tag == other.Inside?.Tag;

    private void Keep(Layer layer)
    {
        if (_catalog.Snapshots.Values.FirstOrDefault(s => s.Layers.Any(l => l.Id == layer.Id)) is { } owner)
        {
            throw Refuse(ErrorKind.AlreadyExists, $"its layer {layer.Path} belongs to snapshot '{owner.Name}' by now");
        }

        _layers[layer.Id] = layer;
        _kept.Add(layer.Id);
    }

    private ImmutableArray<Layer> Chain(ShortId top)
    {
        var chain = ImmutableArray.CreateBuilder<Layer>();
        for (ShortId? id = top; id is { } next; id = chain[^1].Parent)
        {
            if (chain.Count > LayerGraph.MaximumDepth)
            {
                throw Refuse(ErrorKind.InvalidInput, $"layer {top} builds on more than {LayerGraph.MaximumDepth} others");
            }

            chain.Add(this[next]);
        }

        if (chain.Skip(1).FirstOrDefault(l => l.Inside is not null) is { } inner)
        {
            throw Refuse(ErrorKind.InvalidInput, $"layer {inner.Id} is inside an image, and nothing builds on such a layer");
        }

        if (chain[0].Inside is { } place && this[place.Holder] is var holder
            && holder with { Id = top, VirtualSize = chain[0].VirtualSize, Origin = chain[0].Origin } != chain[0] with { Inside = null })
        {
            throw Refuse(ErrorKind.InvalidInput, $"layer {top} is not inside {holder.Path}, as its <cookie> says");
        }

        return chain.ToImmutable();
    }

    /// <summary>What nothing kept builds on is looked at by nobody, and would be removed by whoever cleans up next.</summary>
    private void RequireReached()
    {
        var chains = Chains.SelectMany(c => c);
        var reached = chains.Select(l => l.Id).Concat(chains.Select(l => l.Inside?.Holder).OfType<ShortId>()).ToHashSet();
        if (_layers.Values.FirstOrDefault(l => !reached.Contains(l.Id)) is { } layer)
        {
            throw Refuse(ErrorKind.InvalidInput, $"nothing that it keeps builds on layer {layer.Id} of its <cookie>, {layer.Path}");
        }
    }

    /// <summary>What a head or a tip writes to is not as the snapshot kept it, or will not be for long.</summary>
    private void RequireFrozen()
    {
        var written = _catalog.Head.Disks.Concat(_catalog.Tips.SelectMany(t => t.Head.Disks))
            .Where(d => !_onlyRead.Contains(d.Target)).Select(d => d.Layer).ToHashSet();
        if (Chains.SelectMany(c => c).FirstOrDefault(l => l.Inside is null && written.Contains(l.Id)) is { } layer)
        {
            throw Refuse(ErrorKind.WrongState, $"its layer {layer.Path} is what the domain, or a tip, writes to");
        }
    }

    private CoppiceException Refuse(ErrorKind kind, string problem) => new(
        kind, _subject, problem, "the snapshot cannot be put back as it was; take a new one");
}
