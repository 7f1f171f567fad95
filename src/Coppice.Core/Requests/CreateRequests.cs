using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What is asked of a disk in a snapshot.</summary>
/// <param name="Target">The disk, by target or by the path of its image.</param>
/// <param name="Mode">How it takes part; null leaves it to the rules.</param>
/// <param name="File">The new layer's file, for <see cref="DiskMode.External"/>.</param>
/// <param name="Format">The new layer's format; null means qcow2.</param>
public sealed record DiskRequest(string Target, DiskMode? Mode, string? File = null, string? Format = null);

/// <summary>What is asked of the memory in a snapshot.</summary>
/// <param name="Mode">Where it goes.</param>
/// <param name="File">The file, for <see cref="MemoryMode.External"/>; null to have one chosen (R185).</param>
/// <param name="Disk">The disk, for <see cref="MemoryMode.Internal"/>; null to have one chosen (R98).</param>
public sealed record MemoryRequest(MemoryMode Mode, string? File = null, string? Disk = null);

/// <summary>What a new snapshot is made of, if not of the domain as it is: of another snapshot (R152).</summary>
/// <param name="From">That snapshot, by name or uuid. It becomes the parent.</param>
/// <param name="IsCurrent">Also revert to it, so that the domain goes on from the new snapshot (R154).</param>
public sealed record BranchRequest(string From, bool IsCurrent)
{
    /// <summary>
    /// Where the memory of the state that is abandoned goes (R160): <see cref="MemoryMode.None"/> gives that state up. Null keeps
    /// it as any revert does.
    /// </summary>
    public MemoryRequest? LeftMemory { get; init; }

    /// <summary>The name of the snapshot that is taken of that state (R162); null for a tip.</summary>
    public string? Checkpoint { get; init; }
}

/// <summary>Take a snapshot. Whatever is null or absent follows the matrix (R109–R133).</summary>
public sealed record CreateSnapshot(string Domain) : DomainRequest("snapshot create", Domain)
{
    /// <summary>Its name; null to have one made (R23).</summary>
    public string? Name { get; init; }

    /// <summary>Its uuid; null to have one made (R23, R27).</summary>
    public SnapshotId? Id { get; init; }

    /// <summary>Free text.</summary>
    public string Description { get; init; } = "";

    /// <summary>What is asked of the memory; null leaves it to the matrix.</summary>
    public MemoryRequest? Memory { get; init; }

    /// <summary>What is asked of disks.</summary>
    public ImmutableArray<DiskRequest> Disks { get; init; } = [];

    /// <summary>Disks only, no memory (<c>--disk-only</c>).</summary>
    public bool DiskOnly { get; init; }

    /// <summary>The guest runs on while its memory is written.</summary>
    public bool Live { get; init; }

    /// <summary>Freeze the guest's file systems first.</summary>
    public bool Quiesce { get; init; }

    /// <summary>The domain is off afterwards.</summary>
    public bool Halt { get; init; }

    /// <summary>The layers are made and the guest moves on, but no snapshot is recorded.</summary>
    public bool NoMetadata { get; init; }

    /// <summary>The files of external disks are overlays that the user made beforehand.</summary>
    public bool ReuseExternal { get; init; }

    /// <summary>It is made of another snapshot; null to make it of the domain as it is.</summary>
    public BranchRequest? Branch { get; init; }
}
