using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Looks at the overlays that a request names as made beforehand, after checking that they build on the layers of the head.
/// </summary>
internal sealed class PreparedOverlays(HomeOptions options, DomainFolder folder)
{
    public async Task<ImmutableDictionary<string, LayerObservation>> ObserveAsync(
        Request request, Catalog catalog, DomainDefinition definition, CancellationToken cancellation)
    {
        var found = ImmutableDictionary.CreateBuilder<string, LayerObservation>(StringComparer.Ordinal);
        var graph = LayerGraph.Of(catalog);
        if (request is CopyDisk { Reuse: true } copy && Path.IsPathFullyQualified(copy.Path) && HeadOf(copy.Target, catalog, definition, graph) is { } source)
        {
            // One that is not there is the planner's to put into words.
            var files = await options.Storage.ObserveFilesAsync([copy.Path], cancellation).ConfigureAwait(false);
            var below = copy.Shallow ? graph.Chain(source.Id).RemoveAt(0) : [];
            var prepared = CopyTarget.Layer(copy, source, options.Ids.NextShort());
            if (files.ContainsKey(copy.Path))
            {
                await options.Storage.CheckAsync(below.Insert(0, prepared), cancellation).ConfigureAwait(false);
                found[copy.Path] = await options.Storage.ObserveAsync(folder, prepared with { Origin = LayerOrigin.Coppice }, cancellation).ConfigureAwait(false);
            }
        }

        if (request is not CreateSnapshot { ReuseExternal: true } create)
        {
            return found.ToImmutable();
        }

        foreach (var disk in create.Disks.Where(d => d.File is not null && Path.IsPathFullyQualified(d.File)))
        {
            if (HeadOf(disk.Target, catalog, definition, graph) is { } head)
            {
                found[disk.File!] = await ObserveAsync(disk.File!, graph.Chain(head.Id), cancellation).ConfigureAwait(false);
            }
        }

        return found.ToImmutable();
    }

    private async Task<LayerObservation> ObserveAsync(string file, ImmutableArray<Layer> below, CancellationToken cancellation)
    {
        // Whether it is empty is asked of it as of a layer that Coppice made.
        var overlay = below[0] with
        {
            Id = options.Ids.NextShort(),
            Path = file,
            Type = StorageType.File,
            Inside = null,
            Format = ImageFormat.Qcow2,
            Parent = below[0].Id,
            Origin = LayerOrigin.Coppice,
        };
        await options.Storage.CheckAsync(below.Insert(0, overlay), cancellation).ConfigureAwait(false);
        return await options.Storage.ObserveAsync(folder, overlay, cancellation).ConfigureAwait(false);
    }

    /// <summary>The layer that a disk writes to, by its target or image; null if there is none: the resolver says so.</summary>
    private static Layer? HeadOf(string name, Catalog catalog, DomainDefinition definition, LayerGraph graph)
    {
        var target = definition.Disks.FirstOrDefault(d => d.Target == name || d.Source == name)?.Target;
        var head = catalog.Head.Disks.FirstOrDefault(d => d.Target == target || graph[d.Layer].Path == name);
        return head is null ? null : graph[head.Layer];
    }
}
