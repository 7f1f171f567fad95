using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// A process that was prepared for a revert before anybody asked for one: on layers of its own, with the memory of a snapshot loaded, standing
/// still. Nothing is lost with it: it ends by itself when its time is over, and before anything of what it has open is changed.
/// </summary>
public sealed record Spare
{
    /// <summary>The process. It may have ended by now; only the driver knows.</summary>
    public required ShortId Process { get; init; }

    /// <summary>The snapshot that a revert leads to with it.</summary>
    public required SnapshotId Snapshot { get; init; }

    /// <summary>Its disks.</summary>
    public required ImmutableArray<HeadDisk> Disks { get; init; }

    /// <summary>The layers that were made for it. No other part of the catalog lists them.</summary>
    public required ImmutableArray<Layer> Layers { get; init; }

    /// <summary>What its TPM keeps; null if it has none.</summary>
    public ShortId? Tpm { get; init; }

    /// <summary>When it ends if nobody has taken it.</summary>
    public required DateTimeOffset Until { get; init; }
}
