using System.Buffers.Binary;
using System.Numerics;

namespace Coppice.Images;

/// <summary>One L2 table: decodes its entries into extents (qcow2 spec, "Cluster mapping" and "Extended L2 Entries").</summary>
internal sealed class L2Table(Qcow2Header header, ImageBytes bytes)
{
    private const ulong OffsetMask = 0x00ff_ffff_ffff_fe00; // bits 9–55
    private const ulong CompressedBit = 1UL << 62;
    private const ulong ZeroBit = 1;

    private readonly byte[] _table = new byte[header.ClusterSizeBytes];
    private long _fileLength;

    /// <summary>Bits 9–55 of an L1 or L2 entry.</summary>
    public static long HostOffset(ulong entry) => (long)(entry & OffsetMask);

    /// <summary>Reads the table at an offset.</summary>
    public void Read(long offset)
    {
        const string what = "L2 table";
        Qcow2HeaderRules.CheckTable(header, bytes, offset, _table.Length, what);
        bytes.Read(offset, _table, what);
        _fileLength = bytes.Length; // After the read: a running QEMU allocates a cluster first and links it then.
    }

    /// <summary>The extents of the table, neighbours of one kind merged, cut off at the end of the disk.</summary>
    /// <param name="guestOffset">The guest offset of the first entry.</param>
    public List<GuestExtent> Extents(long guestOffset)
    {
        List<GuestExtent> extents = [];
        if (_table.AsSpan().IndexOfAnyExcept((byte)0) < 0)
        {
            return extents;
        }

        for (var index = 0; index < header.L2Entries; index++)
        {
            // No overflow: the offset is below the virtual size plus one L2 table, and both were checked.
            var at = guestOffset + ((long)index << header.ClusterBits);
            if (at >= header.VirtualSizeBytes)
            {
                break;
            }

            Add(extents, index, at);
        }

        return extents;
    }

    private void Add(List<GuestExtent> extents, int index, long at)
    {
        var entry = BinaryPrimitives.ReadUInt64BigEndian(_table.AsSpan(index * header.L2EntryBytes));
        if ((entry & CompressedBit) != 0)
        {
            RequireInFile(CompressedOffset(entry), at);
            Append(extents, at, header.ClusterSizeBytes, ExtentKind.Compressed);
        }
        else if (header.HasExtendedL2)
        {
            AddSubclusters(extents, entry, BinaryPrimitives.ReadUInt64BigEndian(_table.AsSpan((index * 16) + 8)), at);
        }
        else if ((entry & ZeroBit) != 0)
        {
            if (header.Version == 2)
            {
                throw bytes.Malformed($"it is version 2, but marks the cluster at guest offset {at} as zeros");
            }

            RequireAligned(HostOffset(entry), at);
            Append(extents, at, header.ClusterSizeBytes, ExtentKind.Zero);
        }
        else if (HostOffset(entry) is not 0 and var host)
        {
            RequireAligned(host, at);
            RequireInFile(host, at);
            Append(extents, at, header.ClusterSizeBytes, ExtentKind.Data);
        }
    }

    private void AddSubclusters(List<GuestExtent> extents, ulong entry, ulong bitmap, long at)
    {
        var allocated = (uint)bitmap;
        var zero = (uint)(bitmap >> 32);
        var host = HostOffset(entry);
        RequireAligned(host, at);
        if ((allocated & zero) != 0 || (allocated != 0 && host == 0))
        {
            throw bytes.Malformed($"its subcluster bitmap for guest offset {at} contradicts itself");
        }

        if (allocated != 0)
        {
            RequireInFile(host, at);
        }

        var size = header.SubclusterSizeBytes;
        for (var rest = allocated | zero; rest != 0; rest &= rest - 1)
        {
            var bit = BitOperations.TrailingZeroCount(rest);
            var kind = (zero >> bit & 1) != 0 ? ExtentKind.Zero : ExtentKind.Data;
            Append(extents, at + ((long)bit * size), size, kind);
        }
    }

    private void Append(List<GuestExtent> extents, long at, long length, ExtentKind kind)
    {
        length = Math.Min(length, header.VirtualSizeBytes - at);
        if (length <= 0)
        {
            return;
        }

        if (extents.Count > 0 && extents[^1] is var last && last.Kind == kind && last.OffsetBytes + last.LengthBytes == at)
        {
            extents[^1] = last with { LengthBytes = last.LengthBytes + length };
        }
        else
        {
            extents.Add(new GuestExtent(at, length, kind));
        }
    }

    // x = 62 - (cluster_bits - 8): the bits below it are the offset, those above count sectors.
    private long CompressedOffset(ulong entry) => (long)(entry & ((1UL << (62 - (header.ClusterBits - 8))) - 1));

    private void RequireAligned(long host, long at)
    {
        if (host % header.ClusterSizeBytes != 0)
        {
            throw bytes.Malformed($"its cluster for guest offset {at} is not aligned (host offset {host})");
        }
    }

    private void RequireInFile(long host, long at)
    {
        if (host < header.ClusterSizeBytes || host >= _fileLength)
        {
            throw bytes.Malformed($"its cluster for guest offset {at} (host offset {host}) does not lie in the file");
        }
    }
}
