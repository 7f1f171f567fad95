using System.Buffers.Binary;
using System.Text;

namespace Coppice.Tests.Images;

/// <summary>
/// Writes small qcow2 images byte by byte: header in cluster 0, refcount table in 1, L1 table in 2, snapshot table in 3,
/// L2 table in 4, data in 5. Clusters have 512 bytes unless told otherwise.
/// </summary>
internal sealed class Qcow2Bytes
{
    public const int BackingNameAt = 256;

    public Qcow2Bytes(int clusterBits = 9, int version = 3)
    {
        Cluster = 1 << clusterBits;
        Content = new byte[6 * Cluster];
        U32(0, 0x514649fb);
        U32(4, (uint)version);
        U32(20, (uint)clusterBits);
        U64(24, (ulong)(16 * Cluster));
        U32(36, 1);
        U64(40, (ulong)(2 * Cluster));
        U64(48, (ulong)Cluster);
        U32(56, 1);
        if (version == 3)
        {
            U32(96, 4);
            U32(100, 104);
        }
    }

    public int Cluster { get; }

    public byte[] Content { get; private set; }

    public int L1At => 2 * Cluster;

    public int SnapshotsAt => 3 * Cluster;

    public ulong L2At => 4UL * (ulong)Cluster;

    public ulong DataAt => 5UL * (ulong)Cluster;

    /// <summary>An overlay on a file: backing format extension at 104, its end, the name at 256.</summary>
    public static Qcow2Bytes Overlay(string backing, string? format = "qcow2")
    {
        Qcow2Bytes image = new();
        if (format is not null)
        {
            image.Extension(104, 0xe2792aca, format);
        }

        return image.Backing(backing);
    }

    public Qcow2Bytes U32(int at, uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(Content.AsSpan(at), value);
        return this;
    }

    public Qcow2Bytes U64(int at, ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(Content.AsSpan(at), value);
        return this;
    }

    public Qcow2Bytes Text(int at, string text)
    {
        Encoding.UTF8.GetBytes(text, Content.AsSpan(at));
        return this;
    }

    public Qcow2Bytes Backing(string name)
    {
        U64(8, BackingNameAt);
        U32(16, (uint)Encoding.UTF8.GetByteCount(name));
        return Text(BackingNameAt, name);
    }

    public Qcow2Bytes Extension(int at, uint type, string text) =>
        U32(at, type).U32(at + 4, (uint)text.Length).Text(at + 8, text);

    /// <summary>One L2 table with these entries.</summary>
    public Qcow2Bytes Entries(params ulong[] entries)
    {
        U64(L1At, L2At | (1UL << 63));
        for (var index = 0; index < entries.Length; index++)
        {
            U64((int)L2At + (index * 8), entries[index]);
        }

        return this;
    }

    /// <summary>One snapshot with the extra data of version 3.</summary>
    public Qcow2Bytes Snapshot(string id, string name)
    {
        var at = SnapshotsAt;
        U32(60, 1).U64(64, (ulong)at);
        U64(at, (ulong)L1At).U32(at + 8, 1);
        U32(at + 12, ((uint)id.Length << 16) | (uint)name.Length);
        U32(at + 16, 1_000_000_000).U32(at + 20, 500_000_000).U64(at + 24, 123_456_789_012).U32(at + 32, 77);
        return U32(at + 36, 16).U64(at + 40, 5_000_000_000).U64(at + 48, 4096).Text(at + 56, id + name);
    }

    public Qcow2Bytes Truncate(int length)
    {
        Content = Content[..length];
        return this;
    }

    public MemoryStream Stream() => new(Content, writable: false);
}
