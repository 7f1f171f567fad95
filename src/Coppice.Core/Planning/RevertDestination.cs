using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Where a revert leads.</summary>
/// <param name="Name">For people.</param>
/// <param name="Definition">The definition it had.</param>
/// <param name="Disks">The layers of its head, those that <paramref name="Made"/> has included.</param>
/// <param name="Made">New layers, each on a frozen one.</param>
/// <param name="Memory">Its memory.</param>
/// <param name="State">What the domain does afterwards.</param>
/// <param name="Current">The current snapshot afterwards.</param>
/// <param name="Tip">The tip that is used up, if it is one.</param>
internal sealed record RevertDestination(
    string Name, ShortId Definition, ImmutableArray<HeadDisk> Disks, ImmutableArray<NewLayer> Made, MemoryImage Memory,
    DomainState State, SnapshotId? Current, Tip? Tip)
{
    /// <summary>The snapshot that is made of the one it leads to, and is current afterwards; null if none is.</summary>
    public Snapshot? Branch { get; init; }

    /// <summary>What gives that one a memory file of its own; null if it shares the one that there is.</summary>
    public Step? BranchMemory { get; init; }

    /// <summary>Whether what builds on the snapshot that it leads to goes (R149).</summary>
    public bool Discards { get; init; }

    /// <summary>The snapshots that go for that.</summary>
    public ImmutableArray<Snapshot> Discarded { get; init; } = [];

    /// <summary>The copy that is made of what the snapshot's TPM kept.</summary>
    public TpmCopy? TpmCopy { get; init; }

    /// <summary>The process that waits for it, with its layers; null if one has to be started.</summary>
    public Spare? Spare { get; init; }

    /// <summary>What its TPM keeps: that copy, what a spare has, or what the tip has.</summary>
    public ShortId? Tpm => TpmCopy?.To ?? Spare?.Tpm ?? Tip?.Head.Tpm;

    /// <summary>
    /// The snapshot that has all of it until its guest runs; null if none does, also of a tip, which is used up (R168).
    /// </summary>
    public SnapshotId? SameAs { get; init; }

    /// <summary>Whether what came from a snapshot goes: from one that goes, or from the one that it leads to.</summary>
    public bool IsDiscarded(SnapshotId from) => Discards && (from == Current || Discarded.Any(s => s.Id == from));

    /// <summary>Whether the clock of a guest that goes on from memory is to be set.</summary>
    public bool SyncTime { get; init; }

    /// <summary>Whether its guest goes on from memory, now or once it is started, rather than boots.</summary>
    public bool HasMemory => Memory.Mode is not MemoryMode.None || Tip?.Head.Saved is not null;

    /// <summary>Whether a process runs it afterwards.</summary>
    public bool IsActive => State is not (DomainState.Off or DomainState.Saved);
}

/// <summary>A layer to make, and the one whose content it starts with.</summary>
internal sealed record NewLayer(Layer Layer, Layer From);
