using System.Buffers.Binary;

namespace Coppice.Images;

/// <summary>
/// Walks the active L1 table and its L2 tables, lazily. Memory: the L1 table (at most 1 MiB), one L2 table (at most
/// 2 MiB) with its extents, and the offsets of the L2 tables seen: each is read at most once, so that an image cannot
/// multiply the work.
/// </summary>
internal static class AllocationWalk
{
    public static IEnumerable<GuestExtent> Extents(Qcow2Header header, ImageBytes bytes, CancellationToken cancel)
    {
        Qcow2HeaderRules.RequireReadableTables(header, bytes);
        var l1 = ReadL1(header, bytes);
        L2Table table = new(header, bytes);
        HashSet<long> seen = [];
        for (var index = 0; index < l1.Length / sizeof(ulong); index++)
        {
            cancel.ThrowIfCancellationRequested();
            var offset = L2Table.HostOffset(BinaryPrimitives.ReadUInt64BigEndian(l1.AsSpan(index * sizeof(ulong))));
            if (offset == 0)
            {
                continue;
            }

            if (!seen.Add(offset))
            {
                throw bytes.Malformed($"two entries of its L1 table name the same L2 table (offset {offset})");
            }

            table.Read(offset);
            foreach (var extent in table.Extents(index * header.L1EntryCoversBytes))
            {
                yield return extent;
            }
        }
    }

    /// <summary>Whether any part of the disk has an L2 table.</summary>
    public static bool HasTables(Qcow2Header header, ImageBytes bytes)
    {
        Qcow2HeaderRules.RequireReadableTables(header, bytes);
        return ReadL1(header, bytes).Any(b => b != 0);
    }

    /// <summary>The part of the L1 table that describes the disk; behind it lies memory that savevm stored.</summary>
    private static byte[] ReadL1(Qcow2Header header, ImageBytes bytes)
    {
        // Checked with the header: needed entries <= entries <= limit, and the table lies in the file.
        var needed = (int)Qcow2HeaderRules.EntriesFor(header, header.VirtualSizeBytes);
        var l1 = new byte[needed * sizeof(ulong)];
        bytes.Read(header.L1Offset, l1, "L1 table");
        return l1;
    }
}
