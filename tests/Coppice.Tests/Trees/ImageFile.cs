using System.Buffers.Binary;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Tests.Trees;

/// <summary>One image of a chain, raw or qcow2 (qcow2 spec: header, L1 and L2 tables, snapshot table), as it is on disk.</summary>
internal sealed class ImageFile
{
    /// <summary>A place that is nowhere in the file: the image says that these are zeros.</summary>
    public const long Zeros = -1;

    private const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    private const ulong Compressed = 1UL << 62;

    private readonly Dictionary<long, ulong[]> _tables = [];
    private ulong[] _l1 = [];
    private int _bits;

    private ImageFile(SafeFileHandle file, long size) => (File, Size) = (file, size);

    public SafeFileHandle File { get; }

    public long Size { get; private init; }

    /// <summary>The image that it builds on; null if there is none.</summary>
    public string? Backing { get; private init; }

    public static ImageFile OpenRaw(string path)
    {
        var file = System.IO.File.OpenHandle(path, share: FileShare.ReadWrite);
        return new ImageFile(file, RandomAccess.GetLength(file));
    }

    /// <summary>Opens an image of which the first bytes tell what it is: nothing else is known of a backing file here.</summary>
    public static ImageFile Open(string path, string? tag)
    {
        var raw = OpenRaw(path);
        var header = raw.Bytes(0, 104);
        if (!header.AsSpan(0, 4).SequenceEqual((ReadOnlySpan<byte>)[0x51, 0x46, 0x49, 0xfb]))
        {
            return raw;
        }

        Assert.True((Long(header, 72) & ~1L) == 0, $"{path} has features that are not read here: {Long(header, 72):x}");
        var (l1, entries, size) = (Long(header, 40), Int(header, 36), Long(header, 24));
        if (tag is not null)
        {
            (l1, entries, size) = raw.FindSnapshot(Long(header, 64), Int(header, 60), tag, size);
        }

        var name = Encoding.UTF8.GetString(raw.Bytes(Long(header, 8), Int(header, 16)));
        return new ImageFile(raw.File, size)
        {
            Backing = name is "" ? null : Path.GetFullPath(name, Path.GetDirectoryName(path)!),
            _bits = Int(header, 20),
            _l1 = raw.Table(l1, entries),
        };
    }

    /// <summary>Where a byte of the guest's disk is in the file; null if the image does not say, and what it builds on counts.</summary>
    public long? Find(long at)
    {
        if (_bits == 0)
        {
            return at;
        }

        var (cluster, perTable) = (at >> _bits, (1 << _bits) / sizeof(ulong));
        var l2 = (long)(_l1[cluster / perTable] & OffsetMask);
        if (l2 == 0)
        {
            return null;
        }

        if (!_tables.TryGetValue(l2, out var table))
        {
            _tables[l2] = table = Table(l2, perTable);
        }

        var entry = table[cluster % perTable];
        Assert.True((entry & Compressed) == 0, "a compressed cluster is not read here");
        var host = (long)(entry & OffsetMask);
        return (entry & 1) != 0 ? Zeros : host == 0 ? null : host + (at & ((1L << _bits) - 1));
    }

    /// <summary>The L1 table of an internal snapshot, its entries, and the size that the disk had.</summary>
    private (long L1, int Entries, long Size) FindSnapshot(long at, int count, string tag, long sizeNow)
    {
        for (var index = 0; index < count; index++)
        {
            var entry = Bytes(at, 40);
            var (idLength, nameLength, extra) = (Short(entry, 12), Short(entry, 14), Int(entry, 36));
            var rest = Bytes(at + 40, extra + idLength + nameLength);
            if (Encoding.UTF8.GetString(rest, extra + idLength, nameLength) == tag)
            {
                return (Long(entry, 0), Int(entry, 8), extra >= 16 ? Long(rest, 8) : sizeNow);
            }

            at += (40 + rest.Length + 7) & ~7;
        }

        throw new InvalidDataException($"there is no internal snapshot {tag}");
    }

    private ulong[] Table(long at, int entries)
    {
        var bytes = Bytes(at, entries * sizeof(ulong));
        return [.. Enumerable.Range(0, entries).Select(i => BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(i * sizeof(ulong))))];
    }

    /// <summary>Bytes of the file; zeros behind its end.</summary>
    private byte[] Bytes(long at, int length)
    {
        var bytes = new byte[length];
        RandomAccess.Read(File, bytes, at);
        return bytes;
    }

    private static long Long(byte[] bytes, int at) => BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(at));

    private static int Int(byte[] bytes, int at) => BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at));

    private static int Short(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at));
}
