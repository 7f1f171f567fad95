namespace Coppice.Core;

/// <summary>What a drive is to the guest.</summary>
public enum DiskKind
{
    /// <summary>A hard disk.</summary>
    Disk,

    /// <summary>A CD-ROM; never snapshotted.</summary>
    Cdrom,
}

/// <summary>A drive of a domain.</summary>
public sealed record DiskDevice
{
    /// <summary>The name it goes by everywhere, e.g. <c>vda</c>.</summary>
    public required string Target { get; init; }

    /// <summary>Disk or CD-ROM.</summary>
    public DiskKind Kind { get; init; }

    /// <summary>The absolute path of the image; null for an empty CD-ROM.</summary>
    public string? Source { get; init; }

    /// <summary>The format of the image, as the definition states it.</summary>
    public ImageFormat Format { get; init; }

    /// <summary>The guest cannot write to it; it takes no part in snapshots.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>The default of this disk for snapshots (<c>snapshot=</c>, R144); null if the definition is silent.</summary>
    public DiskMode? Snapshot { get; init; }
}
