namespace Coppice.Core;

/// <summary>How an image stores its data. It comes from our records, never from looking at the file.</summary>
public enum ImageFormat
{
    /// <summary>The bytes of the disk, one after the other.</summary>
    Raw,

    /// <summary>QEMU's copy-on-write format.</summary>
    Qcow2,
}

/// <summary>What an image is kept in (libvirt formatdomain, <c>&lt;disk type=&gt;</c>).</summary>
public enum StorageType
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>
    /// A block device: a logical volume, a partition, a disk. Always a user's, and always raw. It is known by the name that the
    /// user gave, because the names that the kernel gives change when the host boots.
    /// </summary>
    Block,
}

/// <summary>Who made a layer, which decides who may remove it.</summary>
public enum LayerOrigin
{
    /// <summary>The user brought it: it is used, never removed.</summary>
    User,

    /// <summary>Coppice made it: it is removed once nothing reaches it.</summary>
    Coppice,

    /// <summary>
    /// It is another domain's, which has lent it (<see cref="Loan"/>): it is read, never written and never removed.
    /// </summary>
    Borrowed,
}

/// <summary>
/// One node of a disk's image graph: a file with its format and the layer it builds on, or an internal snapshot inside such
/// a file. The layer a head uses is writable; every layer that a snapshot, or another layer, refers to is frozen.
/// </summary>
public sealed record Layer
{
    /// <summary>Unique for ever, within the domain.</summary>
    public required ShortId Id { get; init; }

    /// <summary>The disk it belongs to, by target (<c>vda</c>).</summary>
    public required string Disk { get; init; }

    /// <summary>The absolute path of the image; that of its holder for an internal snapshot.</summary>
    public required string Path { get; init; }

    /// <summary>What the image is kept in.</summary>
    public StorageType Type { get; init; }

    /// <summary>The format of the image.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>The size that the guest sees.</summary>
    public required ByteCount VirtualSize { get; init; }

    /// <summary>The layer it builds on; null for the lowest.</summary>
    public ShortId? Parent { get; init; }

    /// <summary>Who made it.</summary>
    public required LayerOrigin Origin { get; init; }

    /// <summary>Where an internal snapshot is; null for a layer that has its file to itself.</summary>
    public InternalPlace? Inside { get; init; }

    /// <summary>
    /// The record of a new layer on this one. On an internal snapshot nothing can build: the new one is a copy of it, on what that
    /// builds on.
    /// </summary>
    /// <param name="id">Its id.</param>
    /// <param name="disk">The disk, by target.</param>
    /// <param name="path">Its file.</param>
    public Layer Overlay(ShortId id, string disk, string path) => new()
    {
        Id = id,
        Disk = disk,
        Path = path,
        Format = ImageFormat.Qcow2,
        VirtualSize = VirtualSize,
        Parent = Inside is null ? Id : Parent,
        Origin = LayerOrigin.Coppice,
    };
}

/// <summary>
/// Where an internal snapshot is: frozen from the beginning, it shares the file of another layer, which goes on being written.
/// </summary>
/// <param name="Holder">The layer whose image holds it.</param>
/// <param name="Tag">Its name in the image, never used a second time.</param>
public sealed record InternalPlace(ShortId Holder, string Tag);

/// <summary>A disk of a head or tip and the layer it writes to.</summary>
/// <param name="Target">The disk, by target.</param>
/// <param name="Layer">The layer that is written.</param>
public sealed record HeadDisk(string Target, ShortId Layer);
