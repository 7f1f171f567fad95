using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A snapshot request with nothing left open: every mode, name and file is chosen and the driver can do it.</summary>
public sealed record ResolvedSnapshot
{
    /// <summary>The name, given or made.</summary>
    public required string Name { get; init; }

    /// <summary>The uuid, given or made.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Free text.</summary>
    public required string Description { get; init; }

    /// <summary>What the domain is doing.</summary>
    public required DomainState State { get; init; }

    /// <summary>Where the memory goes.</summary>
    public required MemoryImage Memory { get; init; }

    /// <summary>Every disk of the domain, in the definition's order.</summary>
    public required ImmutableArray<ResolvedDisk> Disks { get; init; }

    /// <summary>The row of the matrix that decided, e.g. <c>R133</c>.</summary>
    public required string Rule { get; init; }

    /// <summary>The guest runs on while its memory is written.</summary>
    public bool Live { get; init; }

    /// <summary>Freeze the guest's file systems first.</summary>
    public bool Quiesce { get; init; }

    /// <summary>The domain is off afterwards.</summary>
    public bool Halt { get; init; }
}

/// <summary>How a disk takes part in a resolved snapshot.</summary>
/// <param name="Target">The disk.</param>
/// <param name="Mode">How it takes part.</param>
/// <param name="Overlay">The new layer, for <see cref="DiskMode.External"/>.</param>
public sealed record ResolvedDisk(string Target, DiskMode Mode, NewOverlay? Overlay)
{
    /// <summary>The absolute path of the new layer, for <see cref="DiskMode.External"/>.</summary>
    public string? File => Overlay?.File;
}

/// <summary>A layer that is to be made, or to be used.</summary>
/// <param name="Id">Its id; a file name that was made up contains it.</param>
/// <param name="File">Its absolute path.</param>
/// <param name="IsThere">The user has made it beforehand, so it is used rather than made, and stays the user's.</param>
public sealed record NewOverlay(ShortId Id, string File, bool IsThere = false);
