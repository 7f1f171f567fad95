namespace Coppice.Core;

/// <summary>What a drive is to the guest.</summary>
public enum DiskKind
{
    /// <summary>A hard disk.</summary>
    Disk,

    /// <summary>A CD-ROM; never snapshotted.</summary>
    Cdrom,

    /// <summary>The flash chip in which UEFI firmware keeps its variables; part of every snapshot.</summary>
    Flash,
}

/// <summary>How a drive is attached.</summary>
public enum DiskBus
{
    /// <summary>A PCI device of its own.</summary>
    Virtio,

    /// <summary>One of the four places of the pc machine's IDE controller.</summary>
    Ide,

    /// <summary>A port of an AHCI controller.</summary>
    Sata,

    /// <summary>A target of a virtio-scsi controller.</summary>
    Scsi,
}

/// <summary>How the host caches a drive (libvirt formatdomain, <c>&lt;driver cache=&gt;</c>).</summary>
public enum DiskCache
{
    /// <summary>The host's cache, flushed when the guest asks.</summary>
    WriteBack,

    /// <summary>Past the host's cache.</summary>
    None,

    /// <summary>The host's cache, flushed on every write.</summary>
    WriteThrough,

    /// <summary>Past the host's cache, flushed on every write.</summary>
    DirectSync,

    /// <summary>Never flushed: a crash of the host loses the disk.</summary>
    Unsafe,
}

/// <summary>How the host reads and writes an image (libvirt formatdomain, <c>&lt;driver io=&gt;</c>).</summary>
public enum DiskIo
{
    /// <summary>A pool of threads.</summary>
    Threads,

    /// <summary>Linux AIO; needs a cache mode past the host's cache.</summary>
    Native,

    /// <summary>io_uring.</summary>
    IoUring,
}

/// <summary>What becomes of a guest's discards (libvirt formatdomain, <c>&lt;driver discard=&gt;</c>).</summary>
public enum DiskDiscard
{
    /// <summary>They are dropped.</summary>
    Ignore,

    /// <summary>They free space in the image.</summary>
    Unmap,
}

/// <summary>A layer below the image of a drive, as the definition declares it (<c>&lt;backingStore&gt;</c>).</summary>
/// <param name="Path">The absolute path of the image.</param>
/// <param name="Format">Its format.</param>
public sealed record DeclaredLayer(string Path, ImageFormat Format);

/// <summary>A drive of a domain (libvirt formatdomain, <c>&lt;disk&gt;</c>).</summary>
public sealed record DiskDevice : Device
{
    /// <summary>The target of the flash chip. No disk can have it.</summary>
    public const string FlashTarget = "nvram";

    /// <summary>The name it goes by everywhere, e.g. <c>vda</c>.</summary>
    public required string Target { get; init; }

    /// <summary>Disk or CD-ROM.</summary>
    public DiskKind Kind { get; init; }

    /// <summary>How it is attached.</summary>
    public DiskBus Bus { get; init; }

    /// <summary>The absolute path of the image; null for an empty CD-ROM.</summary>
    public string? Source { get; init; }

    /// <summary>What its image is kept in.</summary>
    public StorageType Type { get; init; }

    /// <summary>The format of the image, as the definition states it.</summary>
    public ImageFormat Format { get; init; }

    /// <summary>
    /// The layers declared below the image, uppermost first; null if the definition is silent and the image itself tells.
    /// </summary>
    public ValueList<DeclaredLayer>? Backing { get; init; }

    /// <summary>The guest cannot write to it; it takes no part in snapshots.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Whether the guest can write to it: neither read-only nor a CD-ROM.</summary>
    public bool IsWritten => !ReadOnly && Kind is not DiskKind.Cdrom;

    /// <summary>The default of this disk for snapshots (<c>snapshot=</c>, R144); null if the definition is silent.</summary>
    public DiskMode? Snapshot { get; init; }

    /// <summary>How the host caches it; null leaves it to the driver.</summary>
    public DiskCache? Cache { get; init; }

    /// <summary>How the host reads and writes it; null leaves it to the driver.</summary>
    public DiskIo? Io { get; init; }

    /// <summary>What becomes of discards; null leaves it to the driver.</summary>
    public DiskDiscard? Discard { get; init; }

    /// <summary>The serial number that the guest sees.</summary>
    public string? Serial { get; init; }

    /// <summary>Its turn when the firmware looks for something to boot, from 1.</summary>
    public int? BootOrder { get; init; }

    /// <inheritdoc/>
    public override string Label => $"{(Kind == DiskKind.Cdrom ? "cdrom" : "disk")} '{Target}'";
}
