using System.Collections.Immutable;
using System.Collections.ObjectModel;

namespace Coppice.Core;

/// <summary>
/// What an operation makes of a catalog. What is not named stays. Head and current snapshot are always stated, so that a
/// change says in full where the domain stands after it.
/// </summary>
public sealed record CatalogChange
{
    /// <summary>Another name of the domain; null keeps the one it has.</summary>
    public string? Name { get; init; }

    /// <summary>What becomes of the domain while nothing runs it; null leaves that as it is.</summary>
    public Persistence? Persistence { get; init; }

    /// <summary>The head afterwards.</summary>
    public required Head Head { get; init; }

    /// <summary>The current snapshot afterwards.</summary>
    public required SnapshotId? Current { get; init; }

    /// <summary>Snapshots that are new, or known ones with another name, description or parent.</summary>
    public ImmutableArray<Snapshot> Put { get; init; } = [];

    /// <summary>
    /// Known snapshots whose layers count as frozen from now on, as they are now; others do since they were taken.
    /// </summary>
    public ImmutableArray<SnapshotId> Refrozen { get; init; } = [];

    /// <summary>Snapshots that go.</summary>
    public ImmutableArray<SnapshotId> Drop { get; init; } = [];

    /// <summary>New tips.</summary>
    public ImmutableArray<Tip> PutTips { get; init; } = [];

    /// <summary>Tips that stay where they are in the order, with other fields.</summary>
    public ImmutableArray<Tip> ReplaceTips { get; init; } = [];

    /// <summary>Tips that go.</summary>
    public ImmutableArray<ShortId> DropTips { get; init; } = [];

    /// <summary>Which tips it keeps; null leaves that as it is.</summary>
    public TipRetention? TipRetention { get; init; }

    /// <summary>Layers that are now listed by the catalog itself.</summary>
    public ImmutableArray<Layer> PutLayers { get; init; } = [];

    /// <summary>Layers that the catalog itself no longer lists: a snapshot froze them, or they go.</summary>
    public ImmutableArray<ShortId> DropLayers { get; init; } = [];

    /// <summary>Merges that are new, or known ones with another process.</summary>
    public ImmutableArray<MergeJob> PutJobs { get; init; } = [];

    /// <summary>Merges that are done or given up.</summary>
    public ImmutableArray<ShortId> DropJobs { get; init; } = [];

    /// <summary>Disks that are being copied from now on, or of which it is known now how that ends.</summary>
    public ImmutableArray<DiskMirror> PutMirrors { get; init; } = [];

    /// <summary>Copies that have ended, whichever way.</summary>
    public ImmutableArray<EndedMirror> DropMirrors { get; init; } = [];

    /// <summary>Merged layers whose files are to have other names.</summary>
    public ImmutableArray<LayerRename> PutRenames { get; init; } = [];

    /// <summary>Layers that have their names by now. One that goes takes its new name with it.</summary>
    public ImmutableArray<ShortId> DropRenames { get; init; } = [];

    /// <summary>Layers that are lent from now on.</summary>
    public ImmutableArray<Loan> PutLoans { get; init; } = [];

    /// <summary>Loans that are over: their borrowers no longer use them.</summary>
    public ImmutableArray<Loan> DropLoans { get; init; } = [];

    /// <summary>Processes that wait from now on.</summary>
    public ImmutableArray<Spare> PutSpares { get; init; } = [];

    /// <summary>Processes that wait no more: they were taken, or go.</summary>
    public ImmutableArray<ShortId> DropSpares { get; init; } = [];

    /// <summary>The catalog after this change; the revision grows by one.</summary>
    public Catalog ApplyTo(Catalog catalog, LastOperation last)
    {
        var dropTips = DropTips;
        var dropSpares = DropSpares;
        var dropMirrors = DropMirrors.Select(m => m.Id).Concat(PutMirrors.Select(m => m.Id)).ToHashSet();
        var replaced = ReplaceTips;
        var dropLayers = DropLayers.AddRange(PutLayers.Select(l => l.Id));
        var isLost = Head.SameAs is { } same && Drop.Contains(same);
        var snapshots = SnapshotsAfter(catalog);
        ImmutableArray<Layer> layers =
            [.. catalog.Layers.Where(l => !dropLayers.Contains(l.Id)), .. PutLayers, .. Inherited(catalog, snapshots)];
        return catalog with
        {
            Name = Name ?? catalog.Name,
            Persistence = Persistence ?? catalog.Persistence,
            Revision = catalog.Revision + 1,
            Last = last,
            Head = isLost ? Head with { SameAs = null } : Head,
            Current = Current,
            Snapshots = snapshots,
            Tips =
            [
                .. catalog.Tips.Where(t => !dropTips.Contains(t.Id)).Select(t => replaced.FirstOrDefault(r => r.Id == t.Id) ?? t),
                .. PutTips,
            ],
            TipRetention = TipRetention ?? catalog.TipRetention,
            Layers = layers,
            Jobs = JobsAfter(catalog),
            Mirrors = [.. catalog.Mirrors.Where(m => !dropMirrors.Contains(m.Id)), .. PutMirrors],
            EndedMirrors = DropMirrors.IsEmpty ? catalog.EndedMirrors : DropMirrors,
            Renames = RenamesAfter(catalog, layers, snapshots),
            Loans = [.. catalog.Loans.Except(DropLoans), .. PutLoans],
            Spares = [.. catalog.Spares.Where(s => !dropSpares.Contains(s.Process)), .. PutSpares],
        };
    }

    private ReadOnlyDictionary<SnapshotId, Snapshot> SnapshotsAfter(Catalog catalog)
    {
        var snapshots = new Dictionary<SnapshotId, Snapshot>(catalog.Snapshots);
        foreach (var id in Drop)
        {
            snapshots.Remove(id);
        }

        foreach (var snapshot in Put)
        {
            snapshots[snapshot.Id] = snapshot;
        }

        return snapshots.AsReadOnly();
    }

    private ImmutableArray<LayerRename> RenamesAfter(
        Catalog catalog, ImmutableArray<Layer> layers, IReadOnlyDictionary<SnapshotId, Snapshot> snapshots)
    {
        var (drop, put) = (DropRenames, PutRenames);
        ImmutableArray<LayerRename> left =
            [.. catalog.Renames.Where(r => !drop.Contains(r.Layer) && put.All(p => p.Layer != r.Layer)), .. put];
        return left.IsEmpty ? left
            : [.. left.Where(r => layers.Concat(snapshots.Values.SelectMany(s => s.Layers)).Any(l => l.Id == r.Layer))];
    }

    /// <summary>A merge in a process that ran the domain, and does so no more, waits again.</summary>
    private ImmutableArray<MergeJob> JobsAfter(Catalog catalog)
    {
        var put = PutJobs;
        var drop = DropJobs;
        var left = catalog.Head.Process is { } process && process != Head.Process ? catalog.Head.Process : null;
        var kept = catalog.Jobs.Where(j => !drop.Contains(j.Id)).Select(j => put.FirstOrDefault(p => p.Id == j.Id) ?? j);
        return
        [
            .. kept.Concat(put.Where(p => catalog.Jobs.All(j => j.Id != p.Id)))
                .Select(j => left is not null && j.Process == left ? j with { Process = null } : j),
        ];
    }

    /// <summary>
    /// What a snapshot that goes had on its list, and another one keeps that was made of it (R152): it has nowhere else to stand.
    /// </summary>
    private IEnumerable<Layer> Inherited(Catalog catalog, IReadOnlyDictionary<SnapshotId, Snapshot> left)
    {
        var put = PutLayers;
        var lists = Drop.Select(id => catalog.Snapshots.GetValueOrDefault(id)).OfType<Snapshot>().SelectMany(s => s.Layers)
            .Where(l => put.All(p => p.Id != l.Id)).ToArray();
        if (lists.Length == 0)
        {
            return [];
        }

        var kept = left.Values.SelectMany(s => s.Disks.Where(d => d.IsKept).Select(d => d.Layer).Concat(
            s.Memory.Layer is { } memory ? [memory] : [])).ToHashSet();
        var below = lists.Where(l => kept.Contains(l.Id)).Select(l => l.Inside?.Holder).OfType<ShortId>().ToHashSet();
        return lists.Where(l => kept.Contains(l.Id) || below.Contains(l.Id));
    }
}
