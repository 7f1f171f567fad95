using System.Collections.Immutable;
using System.Collections.ObjectModel;

namespace Coppice.Core;

/// <summary>The writable layers that a domain uses now and the process that runs it.</summary>
public sealed record Head
{
    /// <summary>The definition in force.</summary>
    public required ShortId Definition { get; init; }

    /// <summary>Each disk with the layer it writes to, in the definition's order.</summary>
    public required ImmutableArray<HeadDisk> Disks { get; init; }

    /// <summary>
    /// The process that runs the domain, by the name the driver gave it; null if it is off. That it is named here does not
    /// say that it still lives: only the driver knows.
    /// </summary>
    public ShortId? Process { get; init; }

    /// <summary>What its TPM keeps, written while it runs; null if it has none.</summary>
    public ShortId? Tpm { get; init; }

    /// <summary>Its memory, if the domain was saved: the next start goes on from there (R37). Null otherwise.</summary>
    public SavedMemory? Saved { get; init; }

    /// <summary>
    /// The snapshot that has all of this still, exactly: since it was taken or reverted to, no guest was let run and nothing of
    /// the domain was changed (R168). Null if the head is dirty, and in doubt.
    /// </summary>
    public SnapshotId? SameAs { get; init; }
}

/// <summary>The memory of a domain that was saved and switched off.</summary>
/// <param name="Image">The memory.</param>
/// <param name="State">What the domain was doing.</param>
public sealed record SavedMemory(MemoryImage Image, DomainState State);

/// <summary>A head that a revert left behind, kept so that one can return to it.</summary>
public sealed record Tip
{
    /// <summary>Unique for ever, within the domain.</summary>
    public required ShortId Id { get; init; }

    /// <summary>When it was left.</summary>
    public required DateTimeOffset LeftAt { get; init; }

    /// <summary>What the domain was doing.</summary>
    public required DomainState State { get; init; }

    /// <summary>The snapshot that was current.</summary>
    public SnapshotId? Current { get; init; }

    /// <summary>The head as it was; its process is gone. Memory that had been saved is still there.</summary>
    public required Head Head { get; init; }

    /// <summary>Its memory, if it ran.</summary>
    public required MemoryImage Memory { get; init; }
}

/// <summary>
/// A layer that a fork uses where it is, because its file could not get a second name. Nothing that the borrower needs is
/// removed, merged or written. It is recorded before the borrower's catalog names the layer, and is stale once that no longer
/// does.
/// </summary>
/// <param name="Layer">The layer that is lent, with all that it builds on.</param>
/// <param name="Borrower">The domain that uses it.</param>
public sealed record Loan(ShortId Layer, DomainId Borrower);

/// <summary>How an operation ended, as the root of the catalog remembers it.</summary>
public enum OperationEnd
{
    /// <summary>It was committed.</summary>
    Committed,

    /// <summary>It failed after the guest had moved to its new layers: the head follows, the reference does not.</summary>
    RolledForward,
}

/// <summary>The last operation that replaced the root.</summary>
public sealed record LastOperation(ShortId Id, OperationEnd End);

/// <summary>
/// All that is known about one domain: its head, its snapshots, the tips. Immutable; an operation computes a
/// <see cref="CatalogChange"/> and the engine replaces the stored root by the result in one step.
/// </summary>
public sealed record Catalog
{
    /// <summary>The domain.</summary>
    public required DomainId Domain { get; init; }

    /// <summary>Its name. It counts, whatever the stored definitions say: those are as old as their snapshots.</summary>
    public required string Name { get; init; }

    /// <summary>What becomes of it while nothing runs it.</summary>
    public Persistence Persistence { get; init; }

    /// <summary>Counts the replacements of the root, from 1.</summary>
    public long Revision { get; init; }

    /// <summary>The operation that made this revision.</summary>
    public required LastOperation Last { get; init; }

    /// <summary>What the domain uses now.</summary>
    public required Head Head { get; init; }

    /// <summary>The snapshot that the head came from (R7).</summary>
    public SnapshotId? Current { get; init; }

    /// <summary>Every snapshot. A large catalog is gone through often, which takes an immutable dictionary ten times as long.</summary>
    public IReadOnlyDictionary<SnapshotId, Snapshot> Snapshots { get; init; } = ReadOnlyDictionary<SnapshotId, Snapshot>.Empty;

    /// <summary>The heads that reverts left, oldest first.</summary>
    public ImmutableArray<Tip> Tips { get; init; } = [];

    /// <summary>Which of them it keeps when another one is made.</summary>
    public TipRetention TipRetention { get; init; } = TipRetention.Forever;

    /// <summary>Layers that no snapshot froze: the heads' own, the tips', and those of snapshots that were deleted.</summary>
    public ImmutableArray<Layer> Layers { get; init; } = [];

    /// <summary>The merges on record, oldest first.</summary>
    public ImmutableArray<MergeJob> Jobs { get; init; } = [];

    /// <summary>The disks that are being copied while their guest writes to them, oldest first.</summary>
    public ImmutableArray<DiskMirror> Mirrors { get; init; } = [];

    /// <summary>Those in the process that the head names: one in another has ended with it.</summary>
    public IEnumerable<DiskMirror> HeadMirrors => Mirrors.Where(m => m.Process == Head.Process);

    /// <summary>Those that ended last, for whoever waits for them.</summary>
    public ImmutableArray<EndedMirror> EndedMirrors { get; init; } = [];

    /// <summary>The merged layers whose files are to have other names.</summary>
    public ImmutableArray<LayerRename> Renames { get; init; } = [];

    /// <summary>The layers that other domains use.</summary>
    public ImmutableArray<Loan> Loans { get; init; } = [];

    /// <summary>The processes that wait for a revert, oldest first.</summary>
    public ImmutableArray<Spare> Spares { get; init; } = [];

    /// <summary>The same once loans that are over are off its record.</summary>
    public Catalog Without(ImmutableArray<Loan> loans) => loans.IsEmpty ? this : this with { Loans = [.. Loans.Except(loans)] };

    /// <summary>
    /// The snapshot that has all of the domain as it is now; null if it is dirty, and in doubt. A guest that runs changes, whoever
    /// let it. Neither the image in which a snapshot was made nor what a revert copied out of it shows whether somebody wrote to it
    /// since, if no process holds it.
    /// </summary>
    public SnapshotId? CleanIn(HypervisorObservation now)
    {
        ArgumentNullException.ThrowIfNull(now);
        var isInside = Head.SameAs is { } same && Snapshots.GetValueOrDefault(same) is { } snapshot
            && snapshot.Disks.Any(d => d.Mode is DiskMode.Internal);
        var mayHaveChanged = now.IsAlive ? now.State is not DomainState.Paused : isInside;
        return mayHaveChanged ? null : Head.SameAs;
    }

    /// <summary>Refuses what would change the machine of a domain that is saved: its memory fits one definition only.</summary>
    /// <exception cref="CoppiceException">It is saved (<see cref="ErrorKind.WrongState"/>).</exception>
    public void RequireNotSaved()
    {
        if (Head.Saved is not null)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"domain '{Name}'", "is saved, and its memory fits the definition that it has",
                $"let it go on (coppice start {Name}) or boot it without that memory (--anew), then stop it");
        }
    }

    /// <summary>The processes on record: the one that runs the domain, those of merges, and those that wait, each once.</summary>
    public IEnumerable<ShortId> Processes =>
        Jobs.Select(j => j.Process).Append(Head.Process).OfType<ShortId>().Concat(Spares.Select(s => s.Process)).Distinct();

    /// <summary>The layers that the disks of the head use, as far as they are listed.</summary>
    public ImmutableArray<Layer> Written
    {
        get
        {
            var used = Head.Disks.Select(d => d.Layer).ToHashSet();
            return [.. Layers.Concat(Snapshots.Values.SelectMany(s => s.Layers)).Where(l => used.Contains(l.Id)).DistinctBy(l => l.Id)];
        }
    }

    /// <summary>The definitions that head, snapshots and tips name, each once.</summary>
    public IEnumerable<ShortId> Definitions => Snapshots.Values.Select(s => s.Definition)
        .Concat(Tips.Select(t => t.Head.Definition)).Append(Head.Definition).Distinct();

    /// <summary>The memory images that snapshots, tips and heads name; several may name one.</summary>
    public IEnumerable<MemoryImage> Memories => Snapshots.Values.Select(s => s.Memory)
        .Concat(Tips.Select(t => t.Memory))
        .Concat(Tips.Select(t => t.Head).Append(Head).Select(h => h.Saved?.Image).OfType<MemoryImage>());

    /// <summary>What the TPMs of head, snapshots, tips and processes that wait keep, each once.</summary>
    public IEnumerable<ShortId> Tpms => Snapshots.Values.Select(s => s.Tpm)
        .Concat(Tips.Select(t => t.Head.Tpm)).Concat(Spares.Select(s => s.Tpm)).Append(Head.Tpm).OfType<ShortId>().Distinct();

    /// <summary>The tip with this id.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>); near ids are suggested.</exception>
    public Tip FindTip(string id) => Tips.FirstOrDefault(t => t.Id.Value == id) ?? throw Lookup.NoTip(id, this);

    /// <summary>The snapshot with this name or uuid; a name wins (R39).</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>); near names are suggested.</exception>
    public Snapshot Find(string nameOrId) =>
        Snapshots.Values.FirstOrDefault(s => s.Name == nameOrId)
        ?? (Guid.TryParseExact(nameOrId, "D", out var id) ? Snapshots.GetValueOrDefault(new SnapshotId(id)) : null)
        ?? throw Lookup.NoSnapshot(nameOrId, this);
}
