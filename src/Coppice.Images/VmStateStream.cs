using System.Buffers.Binary;

namespace Coppice.Images;

/// <summary>
/// The memory inside an internal snapshot: it is stored like data of the disk, in the clusters behind its end (qcow2 spec,
/// "Snapshots"). Memory used: the snapshot's L1 table, one L2 table, one cluster.
/// </summary>
internal sealed class VmStateStream : Stream
{
    private const string What = "saved memory";
    private const ulong CompressedBit = 1UL << 62;
    private const ulong ZeroBit = 1;
    private const int Subclusters = 32;

    private readonly Qcow2Header _header;
    private readonly ImageBytes _bytes;
    private readonly byte[] _l1;
    private readonly byte[] _l2;
    private readonly byte[] _cluster;
    private readonly long _length;
    private long _position;
    private long _l2Offset = -1;
    private long _clusterAt = -1;

    public VmStateStream(Qcow2Header header, ImageBytes bytes, InternalSnapshot snapshot)
    {
        (_header, _bytes, _length) = (header, bytes, snapshot.VmStateBytes);
        if (!snapshot.HasVmState)
        {
            throw bytes.Malformed($"snapshot {Quoted.Name(snapshot.Name)} has no {What}");
        }

        var first = Qcow2HeaderRules.EntriesFor(header, snapshot.DiskSizeBytes);
        var tables = ((_length - 1) / header.L1EntryCoversBytes) + 1;
        if (first + tables > snapshot.L1Entries)
        {
            throw bytes.Malformed($"the L1 table of snapshot {Quoted.Name(snapshot.Name)} is too short for its {What}");
        }

        _l1 = new byte[tables * sizeof(ulong)];
        _bytes.Read(snapshot.L1OffsetBytes + (first * sizeof(ulong)), _l1, "L1 table of a snapshot");
        _l2 = new byte[header.ClusterSizeBytes];
        _cluster = new byte[header.ClusterSizeBytes];
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => _length;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        if (_position == _length || buffer.IsEmpty)
        {
            return 0;
        }

        var within = (int)(_position % _header.ClusterSizeBytes);
        if (_clusterAt != _position - within)
        {
            ReadCluster(_position - within);
        }

        var count = (int)Math.Min(Math.Min(buffer.Length, _header.ClusterSizeBytes - within), _length - _position);
        _cluster.AsSpan(within, count).CopyTo(buffer);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private void ReadCluster(long at)
    {
        _cluster.AsSpan().Clear();
        _clusterAt = at;
        ReadTable(at / _header.L1EntryCoversBytes);
        if (_l2Offset == 0)
        {
            return;
        }

        var index = (int)(at % _header.L1EntryCoversBytes / _header.ClusterSizeBytes);
        var entry = BinaryPrimitives.ReadUInt64BigEndian(_l2.AsSpan(index * _header.L2EntryBytes));
        if ((entry & CompressedBit) != 0)
        {
            throw _bytes.Unsupported($"its {What} is compressed", "revert with the tool that wrote it");
        }

        var host = L2Table.HostOffset(entry);
        if (host == 0 || (!_header.HasExtendedL2 && (entry & ZeroBit) != 0))
        {
            return;
        }

        _bytes.RequireInside(host, 1, What);
        _bytes.Read(host, _cluster.AsSpan(0, (int)Math.Min(_cluster.Length, _bytes.Length - host)), What);
        ClearUnallocated(index);
    }

    /// <summary>
    /// A cluster of which not all has been written has a bit for each part that was (qcow2 spec, "Extended L2 Entries").
    /// </summary>
    private void ClearUnallocated(int index)
    {
        if (!_header.HasExtendedL2)
        {
            return;
        }

        var allocated = (uint)BinaryPrimitives.ReadUInt64BigEndian(_l2.AsSpan((index * _header.L2EntryBytes) + sizeof(ulong)));
        var size = (int)(_header.ClusterSizeBytes / Subclusters);
        for (var part = 0; part < Subclusters; part++)
        {
            if ((allocated >> part & 1) == 0)
            {
                _cluster.AsSpan(part * size, size).Clear();
            }
        }
    }

    private void ReadTable(long number)
    {
        var offset = L2Table.HostOffset(BinaryPrimitives.ReadUInt64BigEndian(_l1.AsSpan((int)number * sizeof(ulong))));
        if (offset != 0 && offset != _l2Offset)
        {
            Qcow2HeaderRules.CheckTable(_header, _bytes, offset, _l2.Length, "L2 table of a snapshot");
            _bytes.Read(offset, _l2, "L2 table of a snapshot");
        }

        _l2Offset = offset;
    }
}
