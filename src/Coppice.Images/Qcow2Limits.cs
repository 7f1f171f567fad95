namespace Coppice.Images;

/// <summary>
/// What the reader accepts at most, so that an image cannot make it, or a QEMU started after it, spend memory and time.
/// QEMU 7.2 itself accepts a 32 MiB L1 table and 65536 snapshots, and then needs 5.4 s for <c>qemu-img info</c>.
/// </summary>
public static class Qcow2Limits
{
    /// <summary>Smallest cluster, 512 bytes (qcow2 spec, header bytes 20–23).</summary>
    public const int MinClusterBits = 9;

    /// <summary>Largest cluster, 2 MiB: QEMU's limit.</summary>
    public const int MaxClusterBits = 21;

    /// <summary>Smallest cluster of an image with extended L2 entries, 16 KiB (qcow2 spec, header bytes 20–23).</summary>
    public const int MinExtendedL2ClusterBits = 14;

    /// <summary>
    /// One L1 table: 131072 entries. A disk of 64 TiB with QEMU's default cluster of 64 KiB, of 256 GiB with 4 KiB,
    /// of 4 GiB with 512 bytes.
    /// </summary>
    public const int MaxL1Bytes = 1 << 20;

    /// <summary>QEMU's limit for the refcount table.</summary>
    public const int MaxRefcountTableBytes = 8 << 20;

    /// <summary>Internal snapshots in one image.</summary>
    public const int MaxSnapshots = 4096;

    /// <summary>The whole snapshot table.</summary>
    public const int MaxSnapshotTableBytes = 1 << 20;

    /// <summary>The id of an internal snapshot; QEMU itself writes a decimal number.</summary>
    public const int MaxSnapshotIdBytes = 255;

    /// <summary>The name of an internal snapshot; QEMU itself writes at most 255 bytes.</summary>
    public const int MaxSnapshotNameBytes = 1023;

    /// <summary>The extra data of one snapshot table entry: QEMU's limit.</summary>
    public const int MaxSnapshotExtraBytes = 1024;

    /// <summary>Header extensions, known or not.</summary>
    public const int MaxHeaderExtensions = 64;

    /// <summary>The backing file name (qcow2 spec, header bytes 16–19).</summary>
    public const int MaxBackingNameBytes = 1023;

    /// <summary>The backing format name: QEMU's limit.</summary>
    public const int MaxBackingFormatBytes = 15;

    /// <summary>The feature name table: each of 3 × 64 bits named once.</summary>
    public const int MaxFeatureTableBytes = 3 * 64 * 48;
}
