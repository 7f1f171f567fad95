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
    /// <summary>The copy that is made of what the snapshot's TPM kept.</summary>
    public TpmCopy? TpmCopy { get; init; }

    /// <summary>What its TPM keeps: that copy, or what the tip has.</summary>
    public ShortId? Tpm => TpmCopy?.To ?? Tip?.Head.Tpm;

    /// <summary>Whether the clock of a guest that goes on from memory is to be set.</summary>
    public bool SyncTime { get; init; }

    /// <summary>Whether its guest goes on from memory, now or once it is started, rather than boots.</summary>
    public bool HasMemory => Memory.Mode is not MemoryMode.None || Tip?.Head.Saved is not null;

    /// <summary>Whether a process runs it afterwards.</summary>
    public bool IsActive => State is not (DomainState.Off or DomainState.Saved);
}

/// <summary>A layer to make, and the one whose content it starts with.</summary>
internal sealed record NewLayer(Layer Layer, Layer From);
