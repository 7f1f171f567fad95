using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The one reading phase of an operation: collects what a request of its kind is planned from, and checks the chains that
/// somebody is about to open.
/// </summary>
internal sealed class Observer(HomeOptions options, DomainFolder folder)
{
    public async Task<Observed> ObserveAsync(Request request, CancellationToken cancellation)
    {
        var plain = request is PauseDomain or ResumeDomain or RebootDomain or StopDomain or KillDomain || IsOfCatalog(request);
        var (catalog, definitions) = new CatalogStore(folder).Read(
            c => (c, Definitions(c, plain ? [c.Head.Definition] : c.Definitions)));
        var definition = definitions[catalog.Head.Definition];
        var restoration = request is RedefineSnapshot { Document: { } document }
            ? SnapshotRestoration.Of(document, catalog, folder, definitions.Values)
            : null;
        var chains = restoration?.Chains ?? ChainsToCheck(request, catalog);
        await Task.WhenAll(chains.Select(c => options.Storage.CheckAsync(c, cancellation))).ConfigureAwait(false);
        var overlays = await new PreparedOverlays(options, folder)
            .ObserveAsync(request, catalog, definition, cancellation).ConfigureAwait(false);
        var files = plain
            ? ImmutableDictionary<string, FileObservation>.Empty
            : await options.Storage.ObserveFilesAsync(
                [
                    .. Reclaiming.MadeFor(folder, catalog), .. Holders(catalog), .. chains.SelectMany(c => c).Select(l => l.Path),
                    .. overlays.Keys, .. Restored(restoration),
                ],
                cancellation).ConfigureAwait(false);
        return new Observed
        {
            Folder = folder,
            Catalog = catalog,
            Definition = definition,
            Definitions = definitions,
            Hypervisor = (await HypervisorAsync(request, catalog, definition, cancellation).ConfigureAwait(false)).For(catalog.Head),
            Layers = plain
                ? ImmutableDictionary<ShortId, LayerObservation>.Empty
                : await LayersAsync(catalog, Destination(request, catalog), restoration, cancellation).ConfigureAwait(false),
            Overlays = overlays,
            Files = files,
            Rewritten = restoration is null
                ? await RewrittenAsync(request, catalog, chains, files, cancellation).ConfigureAwait(false)
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
            return await options.Hypervisor.ObserveAsync(folder, catalog.Head.Process, definition, cancellation).ConfigureAwait(false);
        }
        catch (CoppiceException e) when (
            (request is KillDomain || IsOfCatalog(request)) && catalog.Head.Process is not null && e.Kind is ErrorKind.Hypervisor)
        {
            // Killing is for processes that do not answer, and needs to know nothing of them; nor does what the catalog alone says.
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
        if (chains.IsEmpty || catalog.Snapshots.IsEmpty)
        {
            return [];
        }

        var recordedAt = new CatalogStore(folder).ReadRecordTimes();
        var graph = new LayerGraph(catalog);
        while (true)
        {
            var rewritten = FrozenLayers.Rewritten(catalog, chains, files, recordedAt);
            var seen = chains.SelectMany(c => c).Select(l => l.Id).ToHashSet();
            ImmutableArray<ImmutableArray<Layer>> more = request is StartDomain or RevertSnapshot or UndoRevert
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

    /// <summary>What changes nothing but what the catalog says of the domain.</summary>
    private static bool IsOfCatalog(Request request) => request is RenameDomain or PersistDomain or SetAutostart;

    /// <summary>Images with internal snapshots: how much there is to copy out of them.</summary>
    private static IEnumerable<string> Holders(Catalog catalog) =>
        new LayerGraph(catalog).All.Where(l => l.Inside is not null).Select(l => l.Path);

    /// <summary>What a snapshot kept that is put back.</summary>
    private IEnumerable<string> Restored(SnapshotRestoration? restoration) => restoration is null
        ? []
        : restoration.Files.Keys.Concat(restoration.Tpm is { } tpm ? [folder.Tpm(tpm)] : []);

    private ImmutableDictionary<ShortId, DomainDefinition> Definitions(Catalog catalog, IEnumerable<ShortId> ids) =>
        ids.ToImmutableDictionary(id => id, id => DefinitionStore.Read(folder, catalog, id));

    private async Task<ImmutableDictionary<ShortId, LayerObservation>> LayersAsync(
        Catalog catalog, IEnumerable<ShortId> more, SnapshotRestoration? restoration, CancellationToken cancellation)
    {
        var graph = new LayerGraph(catalog);
        var known = catalog.Head.Disks.Select(d => d.Layer).Concat(more).Distinct().Select(id => graph[id]);
        var layers = await Task.WhenAll(known.Concat(restoration?.Unknown ?? []).Select(layer =>
            options.Storage.ObserveAsync(folder, layer, cancellation))).ConfigureAwait(false);
        return layers.DistinctBy(l => l.Layer).ToImmutableDictionary(l => l.Layer);
    }

    private static ImmutableArray<ImmutableArray<Layer>> ChainsToCheck(Request request, Catalog catalog)
    {
        var graph = new LayerGraph(catalog);
        var tops = request switch
        {
            ResizeDisk resize => catalog.Head.Disks.Where(d => d.Target == resize.Target).Select(d => d.Layer),
            StartDomain or CreateSnapshot or SaveDomain => catalog.Head.Disks.Select(d => d.Layer),
            DeleteSnapshot { MetadataOnly: false } delete => OnDisksOf(catalog.Find(delete.Snapshot), catalog),
            _ => Destination(request, catalog),
        };
        return [.. tops.Distinct().Select(graph.Chain)];
    }

    /// <summary>The disks of the head of which a snapshot froze a layer: it goes, and they must not build on it.</summary>
    private static IEnumerable<ShortId> OnDisksOf(Snapshot snapshot, Catalog catalog) =>
        catalog.Head.Disks.Where(d => snapshot.Layers.Any(l => l.Disk == d.Target)).Select(d => d.Layer);

    /// <summary>The layers that a revert leads to; none if it is no revert.</summary>
    private static IEnumerable<ShortId> Destination(Request request, Catalog catalog) => request switch
    {
        RevertSnapshot revert => Target(revert, catalog)?.Disks.Where(d => d.IsKept).Select(d => d.Layer) ?? [],
        UndoRevert when catalog.Tips is [.., var tip] => tip.Head.Disks.Select(d => d.Layer),
        _ => [],
    };

    /// <summary>The snapshot to revert to; null if there is none, which the planner puts into words.</summary>
    private static Snapshot? Target(RevertSnapshot request, Catalog catalog) => request.Snapshot is { } name
        ? catalog.Find(name)
        : catalog.Current is { } current ? catalog.Snapshots.GetValueOrDefault(current) : null;
}
