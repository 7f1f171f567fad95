using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A layer that no snapshot, head or tip has as its own, and that is still there.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Reason">Why it is there.</param>
/// <param name="NextStep">What makes it go; empty if nothing does.</param>
public sealed record LeftLayer(Layer Layer, string Reason, string NextStep)
{
    /// <summary>All of a catalog: those that others build on, lower ones first, then those inside images.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="files">What is known of the files of its layers.</param>
    /// <param name="usedElsewhere">The images that other domains use, by <see cref="FileObservation.Identity"/>.</param>
    /// <param name="hypervisor">What the domain is doing.</param>
    /// <param name="merges">What the processes say about the merges on record that have one.</param>
    public static ImmutableArray<LeftLayer> Of(
        Catalog catalog, ImmutableDictionary<string, FileObservation> files, ImmutableHashSet<string> usedElsewhere,
        HypervisorObservation hypervisor, ImmutableDictionary<ShortId, MergeObservation> merges)
    {
        ArgumentNullException.ThrowIfNull(merges);
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(hypervisor);
        return
        [
            .. new UnnamedLayers(catalog, files, usedElsewhere).Find().Select(u => Of(catalog, u, hypervisor, merges)),
            .. from l in LayerGraph.Of(catalog).Unreached()
               where l is { Origin: LayerOrigin.Coppice, Inside: not null }
               select new LeftLayer(
                   l, $"internal snapshot {l.Inside!.Tag} is not removed while others build on the image or have a name of it",
                   $"it is once they are gone: coppice gc {catalog.Name}"),
        ];
    }

    private static LeftLayer Of(
        Catalog catalog, UnnamedLayer layer, HypervisorObservation hypervisor, ImmutableDictionary<ShortId, MergeObservation> merges)
    {
        var (collect, name) = ($"coppice gc {catalog.Name}", catalog.Name);
        if (catalog.Jobs.FirstOrDefault(layer.IsOf) is { } job)
        {
            return Merging.ReasonToWait(catalog, job, hypervisor) is { } reason
                    ? new LeftLayer(layer.Lower, $"merge {job.Id} waits: {reason}", "")
                : job.Process is null ? new LeftLayer(layer.Lower, $"merge {job.Id} waits to be begun", $"begin it: {collect}")
                : Failure(merges.GetValueOrDefault(job.Id)) is { } failure
                    ? new LeftLayer(layer.Lower, $"merge {job.Id} has failed: {failure}", $"begin it again: {collect}")
                : new LeftLayer(layer.Lower, $"merge {job.Id} is at work on it", $"wait for it: coppice job wait {name}");
        }

        return !layer.CanMerge ? new LeftLayer(layer.Lower, layer.Reason, layer.NextStep)
            : hypervisor.IsAlive && catalog.Head.Disks.Any(d => d.Layer == layer.Upper!.Id)
                ? new LeftLayer(
                    layer.Lower, "the guest writes to what builds on it",
                    $"merge it when the domain is off, or at once if a stream writes less: {collect}")
            : new LeftLayer(layer.Lower, "it was not merged yet, or its merge was given up", $"merge it: {collect}");
    }

    private static string? Failure(MergeObservation? merge) => merge switch
    {
        { State: MergeState.Failed } => merge.Error ?? "its process does not say why",
        { State: MergeState.Gone } => "its process is gone",
        _ => null,
    };
}
