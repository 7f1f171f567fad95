using System.Buffers.Binary;
using System.IO.Compression;

namespace Coppice.Images;

/// <summary>What an image says of the disk from some offset on.</summary>
/// <param name="Kind">How it is defined; null if the image says nothing of it, so that its backing file counts.</param>
/// <param name="HostOffset">Where it is stored in the image.</param>
/// <param name="LengthBytes">How far the same holds.</param>
internal readonly record struct Placement(ExtentKind? Kind, long HostOffset, long LengthBytes);

/// <summary>
/// Finds and reads single clusters of a qcow2 image (qcow2 spec, "Cluster mapping"). Memory: the L1 table, one L2 table, and one
/// cluster if any is compressed.
/// </summary>
internal sealed class ClusterMap(Qcow2Header header, ImageBytes bytes)
{
    private const ulong CompressedBit = 1UL << 62;
    private const ulong ZeroBit = 1;
    private const int Subclusters = 32;
    private const int SectorBytes = 512;

    private readonly byte[] _l2 = new byte[header.ClusterSizeBytes];
    private byte[]? _l1;
    private long _l2Offset;
    private byte[]? _unpacked;
    private ulong _unpackedEntry;

    /// <summary>What the image says from an offset on, which lies on its disk.</summary>
    public Placement Find(long at)
    {
        var inTable = at % header.L1EntryCoversBytes;
        if (!ReadTable(at / header.L1EntryCoversBytes))
        {
            return new Placement(null, 0, header.L1EntryCoversBytes - inTable);
        }

        var (entry, inside) = (Entry(at), at % header.ClusterSizeBytes);
        var rest = header.ClusterSizeBytes - inside;
        if ((entry & CompressedBit) != 0)
        {
            return new Placement(ExtentKind.Compressed, CompressedOffset(entry), rest);
        }

        if (header.HasExtendedL2)
        {
            return FindSubcluster(entry, at);
        }

        return (entry & ZeroBit) != 0 ? new Placement(ExtentKind.Zero, 0, rest)
            : L2Table.HostOffset(entry) is not 0 and var host ? new Placement(ExtentKind.Data, host + inside, rest)
            : new Placement(null, 0, rest);
    }

    /// <summary>Reads what <see cref="Find"/> has found at an offset, no further than it reaches.</summary>
    public void Read(long at, Placement found, Span<byte> destination)
    {
        if (found.Kind is ExtentKind.Compressed)
        {
            ReadTable(at / header.L1EntryCoversBytes);
            Unpack(Entry(at)).AsSpan((int)(at % header.ClusterSizeBytes), destination.Length).CopyTo(destination);
            return;
        }

        // The last cluster of a file need not be written to its end.
        bytes.RequireInside(found.HostOffset, 1, "data");
        var there = (int)Math.Min(destination.Length, bytes.Length - found.HostOffset);
        bytes.Read(found.HostOffset, destination[..there], "data");
        destination[there..].Clear();
    }

    private Placement FindSubcluster(ulong entry, long at)
    {
        var size = header.ClusterSizeBytes / Subclusters;
        var inside = at % header.ClusterSizeBytes;
        var (bit, rest) = ((int)(inside / size), size - (inside % size));
        var bitmap = BinaryPrimitives.ReadUInt64BigEndian(_l2.AsSpan((Index(at) * header.L2EntryBytes) + sizeof(ulong)));
        return (bitmap >> bit & 1) != 0 ? new Placement(ExtentKind.Data, L2Table.HostOffset(entry) + inside, rest)
            : (bitmap >> (bit + Subclusters) & 1) != 0 ? new Placement(ExtentKind.Zero, 0, rest)
            : new Placement(null, 0, rest);
    }

    /// <summary>Reads the L2 table that an L1 entry names; false if it names none.</summary>
    private bool ReadTable(long number)
    {
        var offset = L2Table.HostOffset(BinaryPrimitives.ReadUInt64BigEndian(L1().AsSpan((int)number * sizeof(ulong))));
        if (offset != 0 && offset != _l2Offset)
        {
            Qcow2HeaderRules.CheckTable(header, bytes, offset, _l2.Length, "L2 table");
            _l2Offset = 0;
            bytes.Read(offset, _l2, "L2 table");
            _l2Offset = offset;
        }

        return offset != 0;
    }

    // Checked with the header: needed entries <= entries <= limit, and the table lies in the file.
    private byte[] L1()
    {
        if (_l1 is null)
        {
            var l1 = new byte[(int)Qcow2HeaderRules.EntriesFor(header, header.VirtualSizeBytes) * sizeof(ulong)];
            bytes.Read(header.L1Offset, l1, "L1 table");
            _l1 = l1;
        }

        return _l1;
    }

    private int Index(long at) => (int)(at % header.L1EntryCoversBytes / header.ClusterSizeBytes);

    private ulong Entry(long at) => BinaryPrimitives.ReadUInt64BigEndian(_l2.AsSpan(Index(at) * header.L2EntryBytes));

    // x = 62 - (cluster_bits - 8): the bits below it are the offset, those above count sectors beyond the first.
    private int OffsetBits => 62 - (header.ClusterBits - 8);

    private long CompressedOffset(ulong entry) => (long)(entry & ((1UL << OffsetBits) - 1));

    private byte[] Unpack(ulong entry)
    {
        if (_unpacked is not null && _unpackedEntry == entry)
        {
            return _unpacked;
        }

        if (header.Compression is not Qcow2Compression.Zlib)
        {
            throw bytes.Unsupported(
                $"its clusters are compressed with {header.Compression}, which cannot be read here", "convert it with \"qemu-img convert\"");
        }

        var offset = CompressedOffset(entry);
        var sectors = (long)((entry & (CompressedBit - 1)) >> OffsetBits);
        bytes.RequireInside(offset, 1, "compressed data");
        var packed = new byte[Math.Min(((sectors + 1) * SectorBytes) - (offset % SectorBytes), bytes.Length - offset)];
        bytes.Read(offset, packed, "compressed data");
        _unpacked = null;
        var unpacked = new byte[header.ClusterSizeBytes];
        try
        {
            using var inflater = new DeflateStream(new MemoryStream(packed), CompressionMode.Decompress);
            inflater.ReadExactly(unpacked);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw bytes.Malformed($"a compressed cluster (host offset {offset}) cannot be unpacked");
        }

        (_unpacked, _unpackedEntry) = (unpacked, entry);
        return unpacked;
    }
}
