using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The one reading phase of an operation: collects what a request of its kind is planned from, and checks the chains that
/// somebody is about to open.
/// </summary>
internal sealed class Observer(HomeOptions options, DomainFolder folder)
{
    /// <param name="request">The request.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <param name="foreseen">
    /// The catalog once the merges that are ready are finished, to plan with; the files are still as the stored one says. Null to
    /// plan with what is stored.
    /// </param>
    public async Task<Observed> ObserveAsync(Request request, CancellationToken cancellation, Catalog? foreseen = null)
    {
        var plain = request is PauseDomain or ResumeDomain or RebootDomain or ResetDomain or StopDomain or KillDomain || IsOfCatalog(request);
        var (stored, definitions) = new CatalogStore(folder).Read(
            c => (c, Definitions(c, plain ? [c.Head.Definition] : c.Definitions)));
        var catalog = foreseen ?? stored;
        var definition = definitions[catalog.Head.Definition];
        var restoration = request is RedefineSnapshot { CopyOf: null, Document: { } document }
            ? SnapshotRestoration.Of(document, stored, folder, definitions.Values)
            : null;
        var chains = restoration?.Chains ?? ChainsToCheck(request, stored);
        await Task.WhenAll(chains.Select(c => options.Storage.CheckAsync(c, cancellation))).ConfigureAwait(false);
        var overlays = await new PreparedOverlays(options, folder)
            .ObserveAsync(request, catalog, definition, cancellation).ConfigureAwait(false);
        var files = plain
            ? ImmutableDictionary<string, FileObservation>.Empty
            : await options.Storage.ObserveFilesAsync(
                [
                    .. OnlyAdds(request, stored) ? [] : Reclaiming.MadeFor(folder, stored).Concat(LayerGraph.Of(stored).All.Select(l => l.Path)),
                    .. chains.SelectMany(c => c).Select(l => l.Path), .. overlays.Keys, .. Restored(restoration), .. NewNames(request, catalog),
                    .. request is CopyDisk copy && Path.IsPathFullyQualified(copy.Path) ? [copy.Path] : Array.Empty<string>(),
                ],
                cancellation).ConfigureAwait(false);
        ImmutableArray<Loan> stale = catalog.Loans.IsEmpty ? [] : new Lending(options, folder.Home).Stale(catalog);
        var hypervisor = (await HypervisorAsync(request, catalog, definition, cancellation).ConfigureAwait(false)).For(catalog.Head);
        if (foreseen is not null && hypervisor.IsAlive)
        {
            var moved = foreseen.Head.Disks.Except(stored.Head.Disks).Select(d => KeyValuePair.Create(d.Target, LayerGraph.Of(foreseen)[d.Layer].Path));
            hypervisor = hypervisor with { ActiveImages = hypervisor.ActiveImages.SetItems(moved) };
        }

        ImmutableHashSet<ShortId> waiting = [.. catalog.Spares.Select(s => s.Process).Where(p => options.Hypervisor.IsWaiting(folder, p))];
        var ended = EndedSpares(catalog, waiting);
        var all = plain ? null : await VolumeAsync(request, hypervisor, cancellation).ConfigureAwait(false);
        var volume = ended.Aggregate(all, (rest, process) => rest?.Without(folder.Ram(process)));
        var merges = plain ? null : await new MergeObserver(options, folder, stored, foreseen is not null)
            .ObserveAsync(request, catalog.Without(stale), files, cancellation).ConfigureAwait(false);
        return new Observed
        {
            Folder = folder,
            Catalog = catalog,
            Definition = definition,
            Definitions = definitions,
            Volume = volume,
            Waiting = waiting,
            EndedSpares = ended,
            WaitingMemory = request is WarmSnapshot ? WaitingMemory() : default,
            HostMemory = request is WarmSnapshot ? new ByteCount(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes) : default,
            Hypervisor = hypervisor,
            Layers = plain
                ? ImmutableDictionary<ShortId, LayerObservation>.Empty
                : await LayersAsync(catalog, Destination(request, catalog), restoration, cancellation).ConfigureAwait(false),
            Fork = request is ForkSnapshot fork ? await PlacesAsync(fork, catalog, volume, cancellation).ConfigureAwait(false) : null,
            ExportPlace = request is ExportDomain export
                ? await options.Storage.ObservePlaceAsync(export.Folder, cancellation).ConfigureAwait(false)
                : null,
            TakesMemoryLink = request is CreateSnapshot { Branch: { } branch, Memory: { Mode: MemoryMode.External } wanted }
                && await TakesLinkAsync(catalog.Find(branch.From), wanted, volume, cancellation).ConfigureAwait(false),
            StaleLoans = stale,
            Overlays = overlays,
            Files = files,
            Merges = merges?.States ?? ImmutableDictionary<ShortId, MergeObservation>.Empty,
            MergeCosts = merges?.Costs ?? ImmutableDictionary<ShortId, MeasuredMerge>.Empty,
            UsedElsewhere = merges?.UsedElsewhere ?? [],
            StrayDefinitions = request is CollectGarbage ? DefinitionStore.Strays(folder, catalog) : [],
            Rewritten = restoration is null
                ? await RewrittenAsync(request, stored, chains, files, cancellation).ConfigureAwait(false)
                : [],
            // Asking for them may start a hypervisor; a plain command to one that runs needs none of them.
            Capabilities = plain
                ? new CapabilitySet(options.Hypervisor.Prefix, "not asked", [])
                : await options.Hypervisor.CapabilitiesAsync(cancellation).ConfigureAwait(false),
            Now = options.Time.GetUtcNow(),
            Ids = options.Ids,
        };
    }

    private async Task<HypervisorObservation> HypervisorAsync(
        Request request, Catalog catalog, DomainDefinition definition, CancellationToken cancellation)
    {
        try
        {
            return await options.Hypervisor
                .ObserveAsync(folder, catalog.Head.Process, definition, catalog.Written, cancellation).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (
            (request is KillDomain || IsOfCatalog(request)) && catalog.Head.Process is not null && e.Kind is ErrorKind.Hypervisor)
        {
            // Killing is for processes that do not answer, and needs to know nothing of them; nor does what the catalog alone
            // says.
            return new HypervisorObservation { State = DomainState.Running, IsAlive = true };
        }
    }

    /// <summary>
    /// What somebody wrote to below the layers that are relied on. Whoever may take that as it is does so for whole snapshots:
    /// then all that these froze is looked at too, so that nothing is taken that nobody was told of.
    /// </summary>
    private async Task<ImmutableArray<RewrittenLayer>> RewrittenAsync(
        Request request, Catalog catalog, ImmutableArray<ImmutableArray<Layer>> chains,
        ImmutableDictionary<string, FileObservation> files, CancellationToken cancellation)
    {
        if (chains.IsEmpty || catalog.Snapshots.Count == 0)
        {
            return [];
        }

        var recordedAt = new CatalogStore(folder).ReadRecordTimes();
        var graph = LayerGraph.Of(catalog);
        while (true)
        {
            var rewritten = FrozenLayers.Rewritten(catalog, chains, files, recordedAt);
            var seen = chains.SelectMany(c => c).Select(l => l.Id).ToHashSet();
            ImmutableArray<ImmutableArray<Layer>> more = request is StartDomain or RevertSnapshot or UndoRevert or RevertToTip
                ?
                [
                    .. rewritten.SelectMany(r => r.Frozen).Distinct().SelectMany(id => catalog.Snapshots[id].Layers)
                        .Select(l => l.Id).Distinct().Where(id => !seen.Contains(id)).Select(graph.Chain),
                ]
                : [];
            if (more.IsEmpty)
            {
                return rewritten;
            }

            var paths = more.SelectMany(c => c).Select(l => l.Path).Where(p => !files.ContainsKey(p)).Distinct();
            files = files.AddRange(await options.Storage.ObserveFilesAsync(paths, cancellation).ConfigureAwait(false));
            chains = chains.AddRange(more);
        }
    }

    /// <summary>The volume; looked at once more before a checkpoint would be refused for room that is only about to be free.</summary>
    private async Task<MemoryVolume?> VolumeAsync(Request request, HypervisorObservation hypervisor, CancellationToken cancellation)
    {
        var volume = await options.Storage.ObserveVolumeAsync(folder.Home, cancellation).ConfigureAwait(false);
        var clones = request is CreateSnapshot or SaveDomain or RevertSnapshot or UndoRevert or RevertToTip;
        if (!clones || volume is null || hypervisor.Ram is not { } ram || volume.MissingFor(MemoryVolume.DeviceState, ram).Bytes == 0)
        {
            return volume;
        }

        await options.Storage.SettleVolumeAsync(folder.Home, cancellation).ConfigureAwait(false);
        return await options.Storage.ObserveVolumeAsync(folder.Home, cancellation).ConfigureAwait(false);
    }

    /// <summary>Those that left a trace and have ended, and those that left none.</summary>
    private ImmutableHashSet<ShortId> EndedSpares(Catalog catalog, ImmutableHashSet<ShortId> waiting)
    {
        ShortId[] silent = [.. catalog.Spares.Select(s => s.Process).Where(p => !waiting.Contains(p))];
        if (silent.Length == 0)
        {
            return [];
        }

        var traces = options.Hypervisor.Processes(folder.Home).ToDictionary(p => p.Id);
        return [.. silent.Where(p => !traces.TryGetValue(p, out var trace) || trace.HasEnded)];
    }

    private ByteCount WaitingMemory() => new(options.Hypervisor.Processes(folder.Home).Sum(p => p.Waits?.Bytes ?? 0));

    /// <summary>What removes and merges nothing, so that only the files count that are built upon.</summary>
    private static bool OnlyAdds(Request request, Catalog catalog) =>
        request is CreateSnapshot { Branch: null } && catalog.Jobs.IsEmpty && catalog.Renames.IsEmpty;

    /// <summary>What changes nothing but what the catalog says of the domain.</summary>
    private static bool IsOfCatalog(Request request) =>
        request is RenameDomain or EditDomain or RedefineRunning or PersistDomain or ReleaseDomain or SetAutostart or EditSnapshot or SetCurrentSnapshot;

    /// <summary>The paths that files of merged layers are to have, or may come to have.</summary>
    private static IEnumerable<string> NewNames(Request request, Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        var names = request is DeleteSnapshot delete ? delete.FinalNames : [];
        return catalog.Renames.Select(r => r.PathOf(graph[r.Layer])).Concat(
            from name in names
            where LayerRename.ProblemOf(name.Name) is null
            from layer in graph.All
            select new LayerRename(layer.Id, name.Name).PathOf(layer));
    }

    /// <summary>What a snapshot kept that is put back.</summary>
    private IEnumerable<string> Restored(SnapshotRestoration? restoration) => restoration is null
        ? []
        : restoration.Files.Keys.Concat(restoration.Tpm is { } tpm ? [folder.Tpm(tpm)] : []);

    private ImmutableDictionary<ShortId, DomainDefinition> Definitions(Catalog catalog, IEnumerable<ShortId> ids) =>
        ids.ToImmutableDictionary(id => id, id => DefinitionStore.Read(folder, catalog, id));

    private async Task<ImmutableDictionary<ShortId, LayerObservation>> LayersAsync(
        Catalog catalog, IEnumerable<ShortId> more, SnapshotRestoration? restoration, CancellationToken cancellation)
    {
        var graph = LayerGraph.Of(catalog);
        var known = catalog.Head.Disks.Select(d => d.Layer).Concat(more).Distinct().Select(id => graph[id]);
        var layers = await Task.WhenAll(known.Concat(restoration?.Unknown ?? []).Select(layer =>
            options.Storage.ObserveAsync(folder, layer, cancellation))).ConfigureAwait(false);
        return layers.DistinctBy(l => l.Layer).ToImmutableDictionary(l => l.Layer);
    }

    private async Task<ForkPlaces> PlacesAsync(
        ForkSnapshot request, Catalog catalog, MemoryVolume? volume, CancellationToken cancellation)
    {
        var id = new DomainId(options.Ids.NextGuid());
        var fork = folder.Home.Domain(id);
        var snapshot = catalog.Find(request.Snapshot);
        var graph = LayerGraph.Of(catalog);
        return new ForkPlaces
        {
            Id = id,
            Folder = fork,
            Layers = await new Lending(options, folder.Home)
                .FindPlacesAsync(fork, snapshot.Disks.Where(d => graph.Has(d.Layer)).SelectMany(d => graph.Chain(d.Layer)), cancellation).ConfigureAwait(false),
            TakesMemoryLink = snapshot.Memory.File is { } memory
                && await options.Storage.CanLinkAsync(memory, fork.MemoryFolderFor(snapshot.Memory.Format, volume is not null), cancellation).ConfigureAwait(false),
        };
    }

    private async Task<bool> TakesLinkAsync(
        Snapshot snapshot, MemoryRequest wanted, MemoryVolume? volume, CancellationToken cancellation) =>
        snapshot.Memory.File is { } memory
        && Path.GetDirectoryName(wanted.File ?? $"{folder.MemoryFolderFor(snapshot.Memory.Format, volume is not null)}/any") is { Length: > 0 } place
        && await options.Storage.CanLinkAsync(memory, place, cancellation).ConfigureAwait(false);

    private static ImmutableArray<ImmutableArray<Layer>> ChainsToCheck(Request request, Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        var tops = request switch
        {
            ResizeDisk resize => catalog.Head.Disks.Where(d => d.Target == resize.Target).Select(d => d.Layer),
            StartDomain or CreateSnapshot { Branch: null } or SaveDomain or AdoptSnapshots or AdoptChain => catalog.Head.Disks.Select(d => d.Layer),
            DeleteSnapshot { Mode: not DeleteMode.MetadataOnly } delete => OnDisksOf(DeletedSnapshots.Of(catalog, delete).Snapshots, catalog),
            _ => Destination(request, catalog),
        };
        return [.. tops.Distinct().Select(graph.Chain)];
    }

    /// <summary>
    /// The disks of the head of which snapshots froze a layer, and others on such a layer: it goes, and what builds on it is on record.
    /// </summary>
    private static IEnumerable<ShortId> OnDisksOf(ImmutableArray<Snapshot> snapshots, Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        var frozen = snapshots.SelectMany(s => s.Layers).ToArray();
        return catalog.Head.Disks.Where(d => frozen.Any(l => l.Disk == d.Target) || graph.Chain(d.Layer).Intersect(frozen).Any()).Select(d => d.Layer);
    }

    /// <summary>
    /// The layers that a revert or fork leads to, or in which snapshots are looked for; none for other requests.
    /// </summary>
    private static IEnumerable<ShortId> Destination(Request request, Catalog catalog) => request switch
    {
        RevertSnapshot { Latest: true } latest when Target(latest, catalog) is { } from =>
            catalog.Tips.LastOrDefault(t => t.Current == from.Id)?.Head.Disks.Select(d => d.Layer) ?? [],
        RevertSnapshot revert => Kept(Target(revert, catalog)),
        CreateSnapshot { Branch: { } branch } => Kept(catalog.Find(branch.From)),
        ForkSnapshot fork => Kept(catalog.Find(fork.Snapshot)),
        WarmSnapshot warm => Kept(catalog.Find(warm.Snapshot)),
        MapSnapshot map => Kept(catalog.Find(map.Snapshot)),
        ExportDomain { Snapshots.IsEmpty: false } export => export.Snapshots.SelectMany(s => Kept(catalog.Find(s))),
        ExportDomain => catalog.Snapshots.Values.SelectMany(Kept)
            .Concat(catalog.Tips.Select(t => t.Head).Append(catalog.Head).SelectMany(h => h.Disks).Select(d => d.Layer)).Distinct(),
        AttachSnapshotDisk attach => [SharedDisk.Of(attach, catalog.Find(attach.Snapshot)).Layer],
        UndoRevert when catalog.Tips is [.., var tip] => tip.Head.Disks.Select(d => d.Layer),
        RevertToTip revert => catalog.FindTip(revert.Tip).Head.Disks.Select(d => d.Layer),
        AdoptSnapshots when LayerGraph.Of(catalog) is var graph =>
            catalog.Head.Disks.SelectMany(d => graph.Chain(d.Layer)).Select(l => l.Id),
        _ => [],
    };

    private static IEnumerable<ShortId> Kept(Snapshot? snapshot) =>
        snapshot?.Disks.Where(d => d.IsKept).Select(d => d.Layer) ?? [];

    /// <summary>The snapshot to revert to; null if there is none, which the planner puts into words.</summary>
    private static Snapshot? Target(RevertSnapshot request, Catalog catalog) => request.Snapshot is { } name
        ? catalog.Find(name)
        : catalog.Current is { } current ? catalog.Snapshots.GetValueOrDefault(current) : null;
}
