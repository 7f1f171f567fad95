using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Reads all that a check of a domain compares. Whatever cannot be read is a finding, and hides nothing else.</summary>
internal sealed class DomainLook(HomeOptions options, DomainFolder folder, DomainFinder finder)
{
    private readonly List<Finding> _found = [];

    public async Task<CheckedDomain> ReadAsync(CancellationToken cancellation)
    {
        var store = new CatalogStore(folder);
        var catalog = store.Read();
        var graph = LayerGraph.Of(catalog);
        var definitions = Definitions(catalog);
        var definition = definitions.GetValueOrDefault(catalog.Head.Definition);
        var hypervisor = await HypervisorAsync(catalog, definition, cancellation).ConfigureAwait(false);
        var merged = CheckedDomain.InMerge(catalog);
        var needed = graph.All.Except(graph.Unreached()).Where(l => !merged.Contains(l.Id)).ToImmutableArray();
        var refusals = await RefusalsAsync(graph, needed, cancellation).ConfigureAwait(false);
        var named = await options.Storage.ObserveFilesAsync(Named(catalog, graph), cancellation).ConfigureAwait(false);
        var stored = await options.Storage.ListAsync(folder, graph.All, cancellation).ConfigureAwait(false);
        var definitionFiles = await options.Storage.ObserveFilesAsync(StoredDefinitions(), cancellation).ConfigureAwait(false);
        var images = needed.Where(l => l.Inside is null && !refusals.ContainsKey(l.Id)).ToArray();
        var looks = await LooksAsync(images, cancellation).ConfigureAwait(false);
        return new CheckedDomain
        {
            Folder = folder,
            Catalog = catalog,
            Definition = definition,
            Hypervisor = hypervisor,
            Processes = [.. options.Hypervisor.Processes(folder.Home).Where(p => p.Domain == Path.GetFileName(folder.Path))],
            Refusals = refusals,
            Named = named,
            Stored = stored.SetItems(definitionFiles),
            NamedByOthers = await NamedByOthersAsync(cancellation).ConfigureAwait(false),
            Internals = looks.ToImmutableDictionary(l => l.Layer, l => l.Internals.Select(i => i.Tag).ToImmutableArray()),
            Health = await HealthAsync(images, CheckedDomain.InUse(catalog, hypervisor), cancellation).ConfigureAwait(false),
            Rewritten = FrozenLayers.Rewritten(catalog, [.. needed.Select(l => graph.Chain(l.Id))], named, store.ReadRecordTimes()),
            Unlent = Unlent(catalog, graph),
            UnnamedRecords = store.Unnamed(),
            Found = [.. _found],
        };
    }

    private Dictionary<ShortId, DomainDefinition> Definitions(Catalog catalog)
    {
        var definitions = new Dictionary<ShortId, DomainDefinition>();
        foreach (var id in catalog.Definitions)
        {
            try
            {
                definitions.Add(id, DefinitionStore.Read(folder, catalog, id));
            }
            catch (CoppiceException e)
            {
                var users = catalog.Snapshots.Values.Where(s => s.Definition == id).Select(s => $"snapshot '{s.Name}'")
                    .Order(StringComparer.Ordinal).DefaultIfEmpty("the domain");
                _found.Add(new Finding(
                    File.Exists(folder.Definition(id)) ? FindingKind.Unreadable : FindingKind.Missing,
                    $"definition {folder.Definition(id)} of {string.Join(", ", users)}", e.Problem, "restore it from a backup"));
            }
        }

        return definitions;
    }

    private async Task<HypervisorObservation?> HypervisorAsync(
        Catalog catalog, DomainDefinition? definition, CancellationToken cancellation)
    {
        if (definition is null)
        {
            return null;
        }

        try
        {
            return await options.Hypervisor
                .ObserveAsync(folder, catalog.Head.Process, definition, catalog.Written, cancellation).ConfigureAwait(false);
        }
        catch (CoppiceException e)
        {
            _found.Add(new Finding(FindingKind.Silent, e.Subject, e.Problem, $"if it stays so, end it: coppice kill {catalog.Name}"));
            return null;
        }
    }

    private async Task<ImmutableDictionary<ShortId, CoppiceException>> RefusalsAsync(
        LayerGraph graph, ImmutableArray<Layer> layers, CancellationToken cancellation)
    {
        var refusals = ImmutableDictionary.CreateBuilder<ShortId, CoppiceException>();
        foreach (var layer in layers)
        {
            try
            {
                await options.Storage.CheckAsync(graph.Chain(layer.Id), cancellation).ConfigureAwait(false);
            }
            catch (CoppiceException e)
            {
                refusals.Add(layer.Id, e);
            }
        }

        return refusals.ToImmutable();
    }

    private IEnumerable<string> Named(Catalog catalog, LayerGraph graph) =>
    [
        .. graph.All.Concat(catalog.Spares.SelectMany(s => s.Layers)).Select(l => l.Path), .. catalog.Memories.Select(m => m.File).OfType<string>(),
        .. catalog.Definitions.Select(folder.Definition), .. catalog.Tpms.Select(folder.Tpm),
    ];

    private string[] StoredDefinitions()
    {
        var place = Path.GetDirectoryName(folder.Definition(new ShortId("")))!;
        return Directory.Exists(place) ? Directory.GetFiles(place) : [];
    }

    /// <summary>What images say of themselves. One that cannot be read has been refused before.</summary>
    private async Task<ImmutableArray<LayerObservation>> LooksAsync(IEnumerable<Layer> images, CancellationToken cancellation)
    {
        var looks = ImmutableArray.CreateBuilder<LayerObservation>();
        foreach (var image in images)
        {
            try
            {
                looks.Add(await options.Storage.ObserveAsync(folder, image, cancellation).ConfigureAwait(false));
            }
            catch (CoppiceException)
            {
                continue;
            }
        }

        return looks.ToImmutable();
    }

    private async Task<ImmutableDictionary<ShortId, ImageHealth>> HealthAsync(
        IEnumerable<Layer> images, ImmutableHashSet<ShortId> used, CancellationToken cancellation)
    {
        var health = ImmutableDictionary.CreateBuilder<ShortId, ImageHealth>();
        foreach (var image in images.Where(l => !used.Contains(l.Id)))
        {
            try
            {
                health.Add(image.Id, await options.Storage.ExamineAsync(image, cancellation).ConfigureAwait(false));
            }
            catch (CoppiceException e)
            {
                _found.Add(new Finding(FindingKind.Unreadable, $"image {image.Path} of disk '{image.Disk}'", e.Problem, e.NextStep));
            }
        }

        return health.ToImmutable();
    }

    private ImmutableArray<(Layer Layer, string Owner)> Unlent(Catalog catalog, LayerGraph graph)
    {
        var borrowed = graph.All.Where(l => l.Origin is LayerOrigin.Borrowed).DistinctBy(l => l.Path).ToArray();
        try
        {
            return
            [
                .. from other in borrowed.Length == 0 ? [] : finder.Others(folder)
                   from owned in Lending.Owned(other.Catalog, borrowed.Select(l => l.Path).ToHashSet(StringComparer.Ordinal))
                   where !other.Catalog.Loans.Contains(new Loan(owned.Id, catalog.Domain))
                   select (borrowed.First(l => l.Path == owned.Path), other.Catalog.Name),
            ];
        }
        catch (CoppiceException)
        {
            // The domain that cannot be read is a finding of its own.
            return [];
        }
    }

    private async Task<ImmutableHashSet<string>?> NamedByOthersAsync(CancellationToken cancellation)
    {
        try
        {
            finder.RequireAllReadable();
            var paths = finder.Others(folder).SelectMany(d =>
                LayerGraph.Of(d.Catalog).All.Select(l => l.Path).Concat(d.Catalog.Memories.Select(m => m.File).OfType<string>()));
            var files = await options.Storage.ObserveFilesAsync(paths.ToArray(), cancellation).ConfigureAwait(false);
            return [.. files.Values.Select(f => f.Identity)];
        }
        catch (CoppiceException)
        {
            return null;
        }
    }
}
