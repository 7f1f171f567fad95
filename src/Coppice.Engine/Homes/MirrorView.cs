using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>A disk that is being copied, as a reader sees it.</summary>
/// <param name="Mirror">What is on record.</param>
/// <param name="Source">The layer that the guest writes to.</param>
/// <param name="Target">The layer that is to have the same.</param>
/// <param name="Observation">What its process says; gone if it has ended with that.</param>
public sealed record MirrorView(DiskMirror Mirror, Layer Source, Layer Target, MergeObservation Observation)
{
    /// <summary>Asks the processes.</summary>
    internal static async Task<ImmutableArray<MirrorView>> OfAsync(
        DomainFolder folder, Catalog catalog, IHypervisor hypervisor, CancellationToken cancellation)
    {
        var graph = LayerGraph.Of(catalog);
        return
        [
            .. await Task.WhenAll(catalog.Mirrors.Select(async m => new MirrorView(
                m, graph[m.Source], graph[m.Target],
                await hypervisor.ObserveMergeAsync(folder, m.Process, m.Id, cancellation).ConfigureAwait(false)))).ConfigureAwait(false),
        ];
    }
}
