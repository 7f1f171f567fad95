using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Finds images that were written after a snapshot froze them. A snapshot's record is written after its layers were flushed
/// for the last time, and keeps that time: an image that is newer than the record of a snapshot that froze it, or froze what
/// builds on it, was changed by somebody else. A copy of an image that does not keep its time looks the same. What a merge on
/// record writes is written by us; when that is over, the records are written anew.
/// </summary>
internal static class FrozenLayers
{
    /// <summary>The files of a snapshot without those that were written after it: their time proves nothing.</summary>
    /// <param name="files">What is known of the files that do not change any more.</param>
    /// <param name="recordedAt">When the record of the snapshot was written.</param>
    public static ImmutableDictionary<string, FileObservation> AsKept(
        ImmutableDictionary<string, FileObservation> files, DateTimeOffset recordedAt) =>
        files.RemoveRange(files.Where(f => f.Value.ModifiedAt > recordedAt).Select(f => f.Key));

    /// <param name="catalog">The catalog.</param>
    /// <param name="chains">The layers to look at, each top first.</param>
    /// <param name="files">What is known of their files.</param>
    /// <param name="recordedAt">When the record of a snapshot was written.</param>
    public static ImmutableArray<RewrittenLayer> Rewritten(
        Catalog catalog, ImmutableArray<ImmutableArray<Layer>> chains, ImmutableDictionary<string, FileObservation> files,
        Func<SnapshotId, DateTimeOffset> recordedAt) =>
    [
        .. chains.SelectMany(c => Rewritten(catalog, c, files, recordedAt)).GroupBy(r => r.Layer.Id)
            .Select(same => same.First() with { Frozen = [.. same.SelectMany(r => r.Frozen).Distinct()] }),
    ];

    private static IEnumerable<RewrittenLayer> Rewritten(
        Catalog catalog, ImmutableArray<Layer> chain, ImmutableDictionary<string, FileObservation> files,
        Func<SnapshotId, DateTimeOffset> recordedAt)
    {
        var above = new List<(SnapshotId Snapshot, DateTimeOffset At)>();
        var merged = catalog.Jobs.SelectMany(j => new[] { j.Lower, j.Upper }).ToHashSet();
        foreach (var layer in chain.Where(l => l.Inside is null))
        {
            above.AddRange(
                from snapshot in catalog.Snapshots.Values
                where snapshot.Layers.Any(l => l.Id == layer.Id) || snapshot.Disks.Any(d => d.IsKept && d.Layer == layer.Id)
                select (snapshot.Id, recordedAt(snapshot.Id)));
            var isMerged = merged.Contains(layer.Id) || (layer.Parent is { } parent && catalog.Jobs.Any(j => j.Upper == parent));
            if (!isMerged && files.TryGetValue(layer.Path, out var file)
                && above.Where(a => a.At < file.ModifiedAt).ToArray() is { Length: > 0 } older)
            {
                yield return new RewrittenLayer(layer, file.ModifiedAt, [.. older.Select(a => a.Snapshot)]);
            }
        }
    }
}
