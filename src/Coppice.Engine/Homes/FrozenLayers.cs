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
        Func<SnapshotId, DateTimeOffset> recordedAt)
    {
        var frozen = FrozenBy(catalog, chains.SelectMany(c => c));
        return
        [
            .. chains.SelectMany(c => Rewritten(catalog, c, frozen, files, recordedAt)).GroupBy(r => r.Layer.Id)
                .Select(same => same.First() with { Frozen = [.. same.SelectMany(r => r.Frozen).Distinct()] }),
        ];
    }

    /// <summary>The snapshots that froze each of some layers: those that list it, and those that show it. All snapshots are gone through once.</summary>
    private static Dictionary<ShortId, HashSet<SnapshotId>> FrozenBy(Catalog catalog, IEnumerable<Layer> layers)
    {
        var frozen = layers.Select(l => l.Id).Distinct().ToDictionary(id => id, _ => new HashSet<SnapshotId>());
        foreach (var snapshot in catalog.Snapshots.Values)
        {
            foreach (var layer in snapshot.Layers)
            {
                Add(snapshot, layer.Id);
            }

            foreach (var disk in snapshot.Disks)
            {
                if (disk.IsKept)
                {
                    Add(snapshot, disk.Layer);
                }
            }
        }

        return frozen;

        void Add(Snapshot snapshot, ShortId layer)
        {
            if (frozen.TryGetValue(layer, out var by))
            {
                by.Add(snapshot.Id);
            }
        }
    }

    private static IEnumerable<RewrittenLayer> Rewritten(
        Catalog catalog, ImmutableArray<Layer> chain, Dictionary<ShortId, HashSet<SnapshotId>> frozen,
        ImmutableDictionary<string, FileObservation> files, Func<SnapshotId, DateTimeOffset> recordedAt)
    {
        var above = new List<(SnapshotId Snapshot, DateTimeOffset At)>();
        var earliest = DateTimeOffset.MaxValue;
        var merged = catalog.Jobs.SelectMany(j => new[] { j.Lower, j.Upper }).ToHashSet();
        foreach (var layer in chain.Where(l => l.Inside is null))
        {
            foreach (var snapshot in frozen[layer.Id])
            {
                var at = recordedAt(snapshot);
                above.Add((snapshot, at));
                earliest = at < earliest ? at : earliest;
            }

            var isMerged = merged.Contains(layer.Id) || (layer.Parent is { } parent && catalog.Jobs.Any(j => j.Upper == parent));
            if (!isMerged && files.TryGetValue(layer.Path, out var file) && earliest < file.ModifiedAt)
            {
                yield return new RewrittenLayer(
                    layer, file.ModifiedAt, [.. above.Where(a => a.At < file.ModifiedAt).Select(a => a.Snapshot)]);
            }
        }
    }
}
