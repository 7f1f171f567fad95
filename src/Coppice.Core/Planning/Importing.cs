using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Plans an import: every file is copied into the folder of a new domain, checked against its checksum, and its chain is checked before
/// anybody opens it. Ids of layers, tips and definitions stay, since they are the domain's alone.
/// </summary>
internal sealed class Importing
{
    private readonly ImportDomain _request;
    private readonly ObservedExport _observed;
    private readonly IStorage _storage;
    private readonly IHypervisor _hypervisor;
    private readonly LayerGraph _graph;
    private readonly Catalog _catalog;
    private readonly ImmutableDictionary<string, string> _memories;

    private Importing(ImportDomain request, ObservedExport observed, IHypervisor hypervisor, IStorage storage)
    {
        (_request, _observed, _hypervisor, _storage) = (request, observed, hypervisor, storage);
        _memories = observed.Manifest.MemoryFiles.ToImmutableDictionary(
            f => f, _ => observed.Home.Memory(observed.Ids.NextShort()), StringComparer.Ordinal);
        _catalog = Taken(observed.Manifest.Catalog);
        _graph = LayerGraph.Of(_catalog);
    }

    public static Plan Plan(ImportDomain request, ObservedExport observed, IHypervisor hypervisor, IStorage storage) =>
        new Importing(request, observed, hypervisor, storage).Plan();

    private string Name => _request.Name ?? _observed.Manifest.Name;

    private Plan Plan()
    {
        var begin = _observed.Manifest.Head is null ? ImportedHead.On(Begin(), _graph, _observed, _storage) : null;
        var head = begin?.Head ?? _catalog.Head;
        var definitions = ImportedDefinitions.Of(_request with { Name = Name }, _observed, _catalog, _graph, head);
        var plan = new Plan
        {
            Id = _observed.Ids.NextShort(),
            Operation = _request.Operation,
            Domain = _observed.Id,
            Mechanism = $"new domain with {_catalog.Snapshots.Count} {(_catalog.Snapshots.Count == 1 ? "snapshot" : "snapshots")}"
                + (begin is null ? "" : $", on snapshot '{Begin().Name}'"),
            MakesDomain = true,
            Prepare =
            [
                .. Images(), .. Memories(), .. Tpms(begin),
                .. begin?.Steps ?? [],
                .. definitions.All.Select(d => _storage.WriteFile(_observed.Home.Definition(d.Key), DomainXml.Format(d.Value))),
            ],
            Commit = new CatalogChange
            {
                Name = Name,
                Persistence = Persistence.Persistent,
                Head = head,
                Current = _catalog.Current,
                Put = [.. _catalog.Snapshots.Values.OrderBy(s => s.CreatedAt).ThenBy(s => s.Id.Value)],
                PutTips = _catalog.Tips,
                PutLayers = [.. _catalog.Layers, .. begin?.Made ?? []],
            },
            Warnings = [.. definitions.Changes, .. Trusted(head)],
        };
        RequireRoom(plan);
        return plan;
    }

    private Snapshot Begin() => _catalog.Current is { } current ? _catalog.Snapshots[current] : throw new CoppiceException(
        ErrorKind.Damaged, _observed.Folder.Path, "has neither a head nor a snapshot that is current", "export it again");

    /// <summary>Nothing can be checked of memory: whoever wrote it knows what QEMU makes of it.</summary>
    private IEnumerable<string> Trusted(Head head)
    {
        if (head.Saved is not null)
        {
            yield return $"it goes on from memory, which QEMU has to trust; of a stranger boot it: coppice start {Name} --anew";
        }

        if (_catalog.Memories.Any(m => m.Mode is not MemoryMode.None))
        {
            yield return "its snapshots and tips hold memory, which QEMU has to trust; of a stranger do not go back to that";
        }
    }

    private void RequireRoom(Plan plan)
    {
        var needed = new ByteCount(plan.Steps.SelectMany(s => s.Files).Sum(f => f.Bytes.Bytes));
        if (!_observed.Place.TakesClones && needed.Bytes > _observed.Place.Free.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.Storage, _observed.Home.Path, $"{needed} are copied there, and {_observed.Place.Free} are free",
                "free some space, or use a home on another file system: --home");
        }
    }

    /// <summary>The same with paths of the new domain, and with snapshots that are new ones unless its identity is kept.</summary>
    private Catalog Taken(Catalog carried)
    {
        var ids = carried.Snapshots.Keys.OrderBy(k => k.Value)
            .ToDictionary(id => id, id => _request.KeepsIdentity ? id : _observed.Ids.NextSnapshot());
        return carried with
        {
            Domain = _observed.Id,
            Name = Name,
            Current = Id(carried.Current),
            Head = OfHead(carried.Head),
            Snapshots = carried.Snapshots.Values.Select(s => s with
            {
                Id = ids[s.Id], Parent = Id(s.Parent), Memory = Moved(s.Memory), Layers = [.. s.Layers.Select(Moved)],
            }).ToImmutableDictionary(s => s.Id),
            Tips = [.. carried.Tips.Select(t => t with { Current = Id(t.Current), Memory = Moved(t.Memory), Head = OfHead(t.Head) })],
            Layers = [.. carried.Layers.Select(Moved)],
        };

        SnapshotId? Id(SnapshotId? id) => id is { } known ? ids[known] : null;

        Head OfHead(Head head) => head with
        {
            SameAs = Id(head.SameAs),
            Saved = head.Saved is { } saved ? saved with { Image = Moved(saved.Image) } : null,
        };
    }

    private MemoryImage Moved(MemoryImage image) => image.File is { } file ? image with { File = _memories[file], IsVolatile = false } : image;

    private Layer Moved(Layer layer) => layer with { Path = $"{_observed.Home.Images(layer.Disk)}/{Path.GetFileName(layer.Path)}" };

    private FileToCopy File(string name, string path) => new(
        _observed.Folder[name], path, _observed.Files.TryGetValue(_observed.Folder[name], out var file) ? file.Allocated : default)
    {
        Within = _observed.Folder.Path,
        Sha256 = _observed.Sums.GetValueOrDefault(name) ?? throw new CoppiceException(
            ErrorKind.Damaged, _observed.Folder[ExportFolder.Sums], $"has no checksum of {name}",
            "copy the folder anew from where it was exported"),
    };

    /// <summary>Each image after the one that it builds on.</summary>
    private IEnumerable<Step> Images() =>
        from layer in _graph.All
        where layer.Inside is null
        let chain = _graph.Chain(layer.Id)
        orderby chain.Length, layer.Id.Value
        select _storage.CopyImage(new ImageToCopy(File(ExportFolder.Image(layer), layer.Path), StorageType.File, chain));

    private IEnumerable<Step> Memories() =>
        _memories.OrderBy(m => m.Key, StringComparer.Ordinal).Select(m => _storage.CopyFile(File(m.Key, m.Value)));

    private IEnumerable<Step> Tpms(ImportedHead? begin) =>
        from tpm in _catalog.Tpms.Select(t => (From: t, To: t))
            .Concat(begin?.Tpm is { } copy ? [copy] : Array.Empty<(ShortId From, ShortId To)>())
        select _storage.CopyFile(File(ExportFolder.Tpm(tpm.From), _hypervisor.TpmFile(_observed.Home, tpm.To)));
}
