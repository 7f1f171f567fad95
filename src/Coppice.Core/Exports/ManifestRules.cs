namespace Coppice.Core;

/// <summary>
/// What a manifest must keep to before anything is made of it. Whoever wrote it may mean harm: every name follows from an id, every id
/// is there once, nothing runs in a circle, and what a guest is going to write is nobody else's.
/// </summary>
internal sealed class ManifestRules
{
    private const string Again = "copy the folder anew from where it was exported";

    // 1 EiB; sums of sizes are not to overflow before a file tells its own.
    private const long MaximumDiskBytes = 1L << 60;

    private readonly ExportManifest _manifest;
    private readonly LayerGraph _graph;
    private readonly string _subject;

    private ManifestRules(ExportManifest manifest, string subject)
    {
        (_manifest, _subject) = (manifest, subject);
        _graph = LayerGraph.Of(manifest.Catalog);
    }

    /// <summary>Refuses a manifest that no export has written.</summary>
    /// <param name="manifest">The manifest.</param>
    /// <param name="subject">The folder, for errors.</param>
    /// <param name="definitions">The definitions that it names.</param>
    /// <exception cref="CoppiceException">
    /// It contradicts itself (<see cref="ErrorKind.Damaged"/>), or names what it must not (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static void Require(ExportManifest manifest, string subject, IReadOnlyDictionary<ShortId, DomainDefinition> definitions)
    {
        try
        {
            RequireAll(manifest, subject, definitions);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Damaged && e.Subject != subject)
        {
            // What the graph of layers says is about catalogs.
            throw Refuse(subject, e.Problem);
        }
    }

    private static void RequireAll(ExportManifest manifest, string subject, IReadOnlyDictionary<ShortId, DomainDefinition> definitions)
    {
        var rules = new ManifestRules(manifest, subject);
        var targets = definitions.Values.SelectMany(d => d.DisksAndFlash).Select(d => d.Target).ToHashSet(StringComparer.Ordinal);
        foreach (var layer in rules._graph.All)
        {
            rules.RequireLayer(layer, targets);
        }

        foreach (var layer in rules._graph.All)
        {
            rules.RequireChain(layer);
        }

        foreach (var snapshot in manifest.Snapshots)
        {
            rules.RequireSnapshot(snapshot, definitions[snapshot.Definition]);
        }

        foreach (var tip in manifest.Tips)
        {
            rules.RequireMemory(tip.Memory, $"tip {tip.Id}");
            rules.RequireHead(tip.Head, $"tip {tip.Id}", definitions[tip.Head.Definition]);
        }

        if (manifest.Head is { } head)
        {
            rules.RequireHead(head, "the head", definitions[head.Definition]);
            rules.RequireUnfrozen(head, definitions[head.Definition]);
        }
    }

    /// <summary>What has to be there before a catalog can be made of it.</summary>
    /// <exception cref="CoppiceException">Something is missing, there twice, or before what it builds on (<see cref="ErrorKind.Damaged"/>).</exception>
    public static void RequireWhole(ExportManifest manifest, string subject)
    {
        if (HasNothing(manifest) || (manifest.Snapshots.Length == 0 && manifest.Head is null))
        {
            throw Refuse(subject, "has neither a snapshot nor a head, or an empty place for one");
        }

        if (manifest.Tips.DistinctBy(t => t.Id).Count() != manifest.Tips.Length)
        {
            throw Refuse(subject, "has a tip twice");
        }

        // In the order of the list: so no parent runs in a circle.
        var (known, names) = (new HashSet<SnapshotId>(), new HashSet<string>(StringComparer.Ordinal));
        foreach (var snapshot in manifest.Snapshots)
        {
            Names.Check("snapshot", snapshot.Name);
            var isInOrder = snapshot.Parent is not { } parent || known.Contains(parent);
            if (!isInOrder || !known.Add(snapshot.Id) || !names.Add(snapshot.Name))
            {
                throw Refuse(subject, $"has snapshot '{snapshot.Name}' twice, or before its parent");
            }
        }

        SnapshotId?[] named =
        [
            .. manifest.Tips.SelectMany(t => new[] { t.Current, t.Head.SameAs }), manifest.Current, manifest.Head?.SameAs,
        ];
        foreach (var missing in named.OfType<SnapshotId>().Where(id => !known.Contains(id)))
        {
            throw Refuse(subject, $"names snapshot {missing}, which it has not");
        }
    }

    // A list of JSON can hold null, whatever is said of its items.
    private static bool HasNothing(ExportManifest manifest) =>
        manifest.Snapshots.Any(s => s is null || s.Disks.Any(d => d is null) || s.Layers.Any(l => l is null))
        || manifest.Tips.Any(t => t is null) || manifest.Layers.Any(l => l is null)
        || manifest.Tips.Select(t => t.Head).Append(manifest.Head).Any(h => h is not null && h.Disks.Any(d => d is null));

    private void RequireLayer(Layer layer, HashSet<string> targets)
    {
        var holder = layer.Inside is { } place && _graph.Has(place.Holder) ? _graph[place.Holder] : null;
        var isInPlace = layer.Inside is null || (holder is { Inside: null, Format: ImageFormat.Qcow2 } && holder.Disk == layer.Disk
            && layer.Format is ImageFormat.Qcow2);
        if (!targets.Contains(layer.Disk) || !isInPlace || layer.Path != ExportFolder.Image(layer)
            || layer is not { Type: StorageType.File, Origin: LayerOrigin.Coppice, VirtualSize.Bytes: > 0 and <= MaximumDiskBytes })
        {
            throw new CoppiceException(
                ErrorKind.Forbidden, _subject, $"layer {layer.Id} is not as an export writes it: {layer.Disk}, {layer.Path}", Again);
        }
    }

    private void RequireChain(Layer layer)
    {
        var chain = _graph.Chain(layer.Id);
        if (chain.Length > LayerGraph.MaximumDepth || chain.Skip(1).Any(l => l.Inside is not null)
            || chain.Any(l => l is { Format: ImageFormat.Raw, Parent: not null }))
        {
            throw Refuse(
                $"layer {layer.Id} builds on more than {LayerGraph.MaximumDepth} layers, or on what nothing can build on");
        }
    }

    private void RequireSnapshot(Snapshot snapshot, DomainDefinition definition)
    {
        var subject = $"snapshot '{snapshot.Name}'";
        _ = SafeXml.CanHold(snapshot.Description) ? true : throw Refuse($"{subject} has a description that XML cannot hold");
        RequireMemory(snapshot.Memory, subject);
        foreach (var disk in snapshot.Disks)
        {
            var isKnown = definition.DisksAndFlash.Any(d => d.Target == disk.Target)
                && snapshot.Disks.Count(d => d.Target == disk.Target) == 1;
            var fits = !disk.IsKept || (_graph.Has(disk.Layer) && _graph[disk.Layer] is var layer && layer.Disk == disk.Target
                && layer.Inside is null == disk.Mode is DiskMode.External);
            _ = isKnown && fits ? true : throw Refuse($"{subject} has a disk '{disk.Target}' that is not as its definition or its layers say");
        }

        _ = snapshot.Tpm is not null == definition.Tpm is not null
            ? true
            : throw Refuse($"{subject} and its definition do not agree about a TPM");
    }

    private void RequireMemory(MemoryImage memory, string of)
    {
        var fits = memory switch
        {
            { Mode: MemoryMode.None, File: null, Layer: null } => true,
            { Mode: MemoryMode.External, File: { } file, Layer: null, Origin: LayerOrigin.Coppice } =>
                file.Split('/') is ["memory", var name] && name.EndsWith(".mem", StringComparison.Ordinal)
                && name.Length is > 4 and <= 12 && name[..^4].All(char.IsAsciiDigit),
            { Mode: MemoryMode.Internal, File: null, Layer: { } inside } => _graph.Has(inside) && _graph[inside].Inside is not null,
            _ => false,
        };
        _ = fits ? true : throw Refuse($"{of} has memory that is not as an export writes it");
    }

    private void RequireHead(Head head, string of, DomainDefinition definition)
    {
        RequireMemory(head.Saved?.Image ?? MemoryImage.None, of);
        var targets = definition.DisksAndFlash.Where(d => d.Source is not null).Select(d => d.Target).Order(StringComparer.Ordinal);
        var fits = head.Process is null
            && head.Disks.All(d => _graph.Has(d.Layer) && _graph[d.Layer] is { Inside: null } layer && layer.Disk == d.Target)
            && head.Disks.Select(d => d.Target).Order(StringComparer.Ordinal).SequenceEqual(targets)
            && head.Tpm is not null == definition.Tpm is not null;
        _ = fits ? true : throw Refuse($"{of} has other disks, or another TPM, than its definition");
    }

    /// <summary>
    /// What the head writes no snapshot has, and nothing builds on it. Tips are not written: a disk that took no part in a snapshot is
    /// theirs and the head's after a revert, and a later snapshot may freeze it.
    /// </summary>
    private void RequireUnfrozen(Head head, DomainDefinition definition)
    {
        var frozen = _graph.All.Select(l => l.Parent).OfType<ShortId>()
            .Concat(_manifest.Snapshots.SelectMany(s => s.Disks).Where(d => d.IsKept).Select(d => d.Layer)).ToHashSet();
        foreach (var disk in head.Disks.Where(d => frozen.Contains(d.Layer) && !RevertChecks.IsReadOnly(definition, d.Target)))
        {
            throw Refuse($"layer {disk.Layer} would be written, and a snapshot has it");
        }
    }

    private CoppiceException Refuse(string problem) => Refuse(_subject, problem);

    private static CoppiceException Refuse(string subject, string problem) => new(ErrorKind.Damaged, subject, problem, Again);
}
