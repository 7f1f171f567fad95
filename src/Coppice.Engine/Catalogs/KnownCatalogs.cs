using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>A catalog with the root that it was read by, or written with.</summary>
/// <param name="Content">The root, byte for byte.</param>
/// <param name="Root">What it says.</param>
/// <param name="Catalog">The catalog.</param>
/// <param name="Times">When its records were written, as far as that was asked; shared by the revisions that this process wrote.</param>
internal sealed record KnownCatalog(
    ReadOnlyMemory<byte> Content, RootDocument Root, Catalog Catalog, ConcurrentDictionary<RecordName, DateTimeOffset> Times)
{
    private readonly Lazy<Dictionary<SnapshotId, RecordName>> _records = new(() => Root.Snapshots.ToDictionary(r => r.Snapshot));

    /// <summary>What the root's file was when it was last found to be the same; null if that would not show another writing.</summary>
    public FileStamp? Stamp { get; set; }

    /// <summary>The record of each snapshot.</summary>
    public IReadOnlyDictionary<SnapshotId, RecordName> Records => _records.Value;
}

/// <summary>
/// The catalogs that were read or written last through an open home, so that thousands of records need not be read for each
/// operation. The root is read each time, unless its file is the one that was read: it names its records by the revision that wrote them,
/// and the operation that made it, so the same root is the same catalog. That a record was damaged since is told only to whoever reads anew.
/// </summary>
internal sealed class KnownCatalogs
{
    /// <summary>About 100 MB, if they have two disks each.</summary>
    private const int MaximumSnapshots = 50_000;

    private static readonly ConditionalWeakTable<HomeFolder, KnownCatalogs> s_homes = [];

    private readonly ConcurrentDictionary<string, KnownCatalog> _known = new(StringComparer.Ordinal);

    private KnownCatalogs()
    {
    }

    /// <summary>Those of a home, as long as somebody has it open.</summary>
    public static KnownCatalogs Of(HomeFolder home) => s_homes.GetValue(home, static _ => new KnownCatalogs());

    /// <summary>The catalog of a root, by its path; null if the root is not the one that was seen last.</summary>
    public KnownCatalog? Find(string root)
    {
        if (!_known.TryGetValue(root, out var known))
        {
            return null;
        }

        var stamp = FileSystem.StampOf(root);
        if (stamp is not null && known.Stamp == stamp)
        {
            return known;
        }

        if (!DurableFile.Holds(root, known.Content.Span))
        {
            return null;
        }

        known.Stamp = stamp is { IsTelling: true } ? stamp : null;
        return known;
    }

    /// <summary>Forgets what was known of a root.</summary>
    public void Forget(string root) => _known.TryRemove(root, out _);

    /// <summary>Keeps one instead of what was known of its root. If there are too many snapshots, nothing else is kept.</summary>
    public void Keep(string root, KnownCatalog known)
    {
        _known[root] = known;
        if (_known.Values.Sum(k => k.Catalog.Snapshots.Count + 1) > MaximumSnapshots)
        {
            foreach (var other in _known.Keys.Where(p => p != root))
            {
                _known.TryRemove(other, out _);
            }
        }
    }
}
