using System.Buffers.Binary;

namespace Coppice.Images;

/// <summary>Reads the snapshot table: entries of variable length, one after the other, padded to 8 bytes.</summary>
internal static class SnapshotTableReader
{
    private const int FixedBytes = 40;
    private const int LongestEntryBytes = FixedBytes + Qcow2Limits.MaxSnapshotExtraBytes + Qcow2Limits.MaxSnapshotIdBytes
        + Qcow2Limits.MaxSnapshotNameBytes + 7;

    private const string What = "snapshot table";

    /// <summary>Reads all entries with one read, whose size follows from the number of entries and the limits.</summary>
    public static IReadOnlyList<InternalSnapshot> Read(Qcow2Header header, ImageBytes bytes)
    {
        if (header.SnapshotCount == 0)
        {
            return [];
        }

        Qcow2HeaderRules.CheckTable(header, bytes, header.SnapshotTableOffset, 0, What);
        var most = Math.Min((long)header.SnapshotCount * LongestEntryBytes, Qcow2Limits.MaxSnapshotTableBytes);
        var table = new byte[Math.Min(most, bytes.Length - header.SnapshotTableOffset)];
        bytes.Read(header.SnapshotTableOffset, table, What);

        List<InternalSnapshot> snapshots = new(header.SnapshotCount);
        ReadOnlySpan<byte> rest = table;
        while (snapshots.Count < header.SnapshotCount)
        {
            snapshots.Add(ReadEntry(header, bytes, ref rest));
        }

        return snapshots;
    }

    private static InternalSnapshot ReadEntry(Qcow2Header header, ImageBytes bytes, ref ReadOnlySpan<byte> rest)
    {
        var entry = Take(ref rest, FixedBytes, bytes);
        var l1Offset = BinaryPrimitives.ReadInt64BigEndian(entry);
        var l1Entries = BinaryPrimitives.ReadUInt32BigEndian(entry[8..]);
        var idLength = AtMost(
            BinaryPrimitives.ReadUInt16BigEndian(entry[12..]), Qcow2Limits.MaxSnapshotIdBytes, "id", bytes);
        var nameLength = AtMost(
            BinaryPrimitives.ReadUInt16BigEndian(entry[14..]), Qcow2Limits.MaxSnapshotNameBytes, "name", bytes);
        var extraLength = AtMost(
            BinaryPrimitives.ReadUInt32BigEndian(entry[36..]), Qcow2Limits.MaxSnapshotExtraBytes, "extra data", bytes);

        var extra = Take(ref rest, extraLength, bytes);
        var id = Take(ref rest, idLength, bytes);
        var name = Take(ref rest, nameLength, bytes);
        var padding = -(FixedBytes + extraLength + idLength + nameLength) & 7;
        Take(ref rest, Math.Min(padding, rest.Length), bytes); // The last entry's padding may be missing.

        var entries = AtMost(l1Entries, Qcow2Limits.MaxL1Bytes / sizeof(ulong), "number of L1 entries", bytes);
        InternalSnapshot snapshot = new()
        {
            Id = ImageText.Decode(id, "snapshot id", bytes),
            Name = ImageText.Decode(name, "snapshot name", bytes),
            TakenAt = DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(entry[16..]))
                .AddTicks(BinaryPrimitives.ReadUInt32BigEndian(entry[20..]) / TimeSpan.NanosecondsPerTick),
            VmClockNanoseconds = BinaryPrimitives.ReadUInt64BigEndian(entry[24..]),
            VmStateBytes = extraLength >= 8 ? Size(extra, bytes) : BinaryPrimitives.ReadUInt32BigEndian(entry[32..]),
            DiskSizeBytes = extraLength >= 16 ? Size(extra[8..], bytes) : header.VirtualSizeBytes,
            L1OffsetBytes = l1Offset,
            L1Entries = entries,
        };
        var covers = extraLength >= 16 ? snapshot.DiskSizeBytes : 0; // Without it the size at that time is unknown.
        Qcow2HeaderRules.CheckL1(header, bytes, l1Offset, entries, covers, $"snapshot {Quoted.Name(snapshot.Id)} L1 table");
        return snapshot;
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> rest, int count, ImageBytes bytes)
    {
        if (count > rest.Length)
        {
            throw bytes.Malformed(
                $"its {What} does not end within the file and {Qcow2Limits.MaxSnapshotTableBytes} bytes");
        }

        var taken = rest[..count];
        rest = rest[count..];
        return taken;
    }

    private static int AtMost(uint value, int most, string what, ImageBytes bytes) => value <= most
        ? (int)value
        : throw bytes.Unsupported(
            $"a snapshot's {what} is {value}, more than the {most} that are accepted", "do not use the image");

    private static long Size(ReadOnlySpan<byte> raw, ImageBytes bytes)
    {
        var value = BinaryPrimitives.ReadInt64BigEndian(raw);
        return value >= 0 ? value : throw bytes.Malformed("a snapshot's size is impossible");
    }
}
