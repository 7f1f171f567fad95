using System.Buffers.Binary;
using System.Text;

namespace Coppice.Images;

/// <summary>
/// A qcow2 image to which nothing was written yet: version 3, clusters of 64 KiB, refcounts of 16 bits. Only bytes are made; nothing is
/// opened, not even what the image builds on.
/// </summary>
/// <param name="VirtualSizeBytes">The size of the disk that the guest sees, rounded up to whole sectors (qcow2 spec, header bytes 24–31).</param>
public sealed record EmptyQcow2(long VirtualSizeBytes)
{
    private const int ClusterBits = 16, ClusterBytes = 1 << ClusterBits;
    private const int SectorBytes = 512;
    private const int EntryBytes = sizeof(ulong);

    // One cluster each, in this order; the L1 table is last and as long as the disk is large.
    private const int RefcountTableAt = ClusterBytes, RefcountBlockAt = 2 * ClusterBytes, L1TableAt = 3 * ClusterBytes;
    private const int HeaderBytes = 104, BackingFormatExtension = unchecked((int)0xE2792ACA), ExtensionPrefixBytes = 8;

    // An L2 table is a cluster of entries, each for a cluster.
    private const long BytesPerL1Entry = (long)ClusterBytes / EntryBytes * ClusterBytes;

    /// <summary>What it builds on, as its header is to name it; null if nothing.</summary>
    public string? BackingName { get; init; }

    /// <summary>The format of what it builds on.</summary>
    public ImageFormat BackingFormat { get; init; }

    /// <summary>All of its bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The disk is larger than an image may be, or the name is longer (<see cref="Qcow2Limits"/>).</exception>
    public byte[] ToBytes()
    {
        ArgumentOutOfRangeException.ThrowIfNegative(VirtualSizeBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(VirtualSizeBytes, BytesPerL1Entry * (Qcow2Limits.MaxL1Bytes / EntryBytes));
        var size = (VirtualSizeBytes + SectorBytes - 1) / SectorBytes * SectorBytes;
        var l1Bytes = Math.Max(1, (size + BytesPerL1Entry - 1) / BytesPerL1Entry) * EntryBytes;
        var image = new byte[L1TableAt + l1Bytes];
        Put(image, 0, 0x514649FB); // magic, header bytes 0–3
        Put(image, 4, 3); // version
        Put(image, 20, ClusterBits);
        Put(image, 24, size);
        Put(image, 36, (int)(l1Bytes / EntryBytes));
        Put(image, 40, (long)L1TableAt);
        Put(image, 48, (long)RefcountTableAt);
        Put(image, 56, 1); // clusters of the refcount table
        Put(image, 96, 4); // refcount order: 2^4 bits each
        Put(image, 100, HeaderBytes);
        Put(image, RefcountTableAt, (long)RefcountBlockAt);
        for (var cluster = 0; cluster * ClusterBytes < image.Length; cluster++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(image.AsSpan(RefcountBlockAt + (cluster * sizeof(ushort))), 1);
        }

        PutBacking(image);
        return image;
    }

    // An extension that names the format, the end of the extensions, which is zeros, and the name (qcow2 spec, "Header extensions").
    private void PutBacking(byte[] image)
    {
        if (BackingName is null)
        {
            return;
        }

        var format = Encoding.ASCII.GetBytes(BackingFormat.Name());
        Put(image, HeaderBytes, BackingFormatExtension);
        Put(image, HeaderBytes + 4, format.Length);
        format.CopyTo(image, HeaderBytes + ExtensionPrefixBytes);

        var nameAt = HeaderBytes + (3 * ExtensionPrefixBytes);
        var name = Encoding.UTF8.GetBytes(BackingName);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, Qcow2Limits.MaxBackingNameBytes, nameof(BackingName));
        Put(image, 8, (long)nameAt); // header bytes 8–15
        Put(image, 16, name.Length);
        name.CopyTo(image, nameAt);
    }

    private static void Put(byte[] image, int at, int value) => BinaryPrimitives.WriteInt32BigEndian(image.AsSpan(at), value);

    private static void Put(byte[] image, int at, long value) => BinaryPrimitives.WriteInt64BigEndian(image.AsSpan(at), value);
}
