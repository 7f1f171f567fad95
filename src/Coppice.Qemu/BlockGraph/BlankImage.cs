using System.Buffers.Binary;

namespace Coppice.Qemu.BlockGraph;

/// <summary>A qcow2 image of a disk of one sector to which nothing was written (qcow2 spec, version 3).</summary>
internal static class BlankImage
{
    private const int ClusterBits = 16, ClusterBytes = 1 << ClusterBits;
    private const int SectorBytes = 512;

    // One cluster each, in this order.
    private const int RefcountTableAt = ClusterBytes, RefcountBlockAt = 2 * ClusterBytes, L1TableAt = 3 * ClusterBytes, Clusters = 4;

    /// <summary>All of its bytes.</summary>
    public static byte[] Bytes()
    {
        var image = new byte[Clusters * ClusterBytes];
        Put(image, 0, 0x514649FB); // magic, header bytes 0–3
        Put(image, 4, 3); // version
        Put(image, 20, ClusterBits);
        Put(image, 28, SectorBytes); // the lower half of the size, bytes 24–31
        Put(image, 36, 1); // entries of the L1 table
        Put(image, 44, L1TableAt); // the lower half of its offset, bytes 40–47
        Put(image, 52, RefcountTableAt); // likewise, bytes 48–55
        Put(image, 56, 1); // clusters of the refcount table
        Put(image, 96, 4); // refcount order: 16 bits each
        Put(image, 100, 104); // header length
        Put(image, RefcountTableAt + 4, RefcountBlockAt);
        for (var cluster = 0; cluster < Clusters; cluster++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(image.AsSpan(RefcountBlockAt + (cluster * sizeof(ushort))), 1);
        }

        return image;
    }

    private static void Put(byte[] image, int at, uint value) => BinaryPrimitives.WriteUInt32BigEndian(image.AsSpan(at), value);
}
