using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A range of a disk, as the guest counts.</summary>
/// <param name="Offset">Where it starts, in bytes.</param>
/// <param name="Length">How many bytes it has.</param>
public readonly record struct ByteRange(long Offset, long Length);

/// <summary>Where the content of a disk differs, in whole sectors of 512 bytes.</summary>
/// <param name="Size">The size of the disk in the first of the two.</param>
/// <param name="OtherSize">Its size in the second. What lies behind the end of the smaller one counts as zeros.</param>
/// <param name="Changed">How many bytes lie in ranges that differ.</param>
/// <param name="Count">How many such ranges there are.</param>
/// <param name="Ranges">The first of them, at most <see cref="MostRanges"/>, in ascending order.</param>
public sealed record DiskDifference(ByteCount Size, ByteCount OtherSize, ByteCount Changed, long Count, ImmutableArray<ByteRange> Ranges)
{
    /// <summary>How many ranges are listed at most; the rest is only counted.</summary>
    public const int MostRanges = 100_000;

    /// <summary>Counts ranges and keeps the first.</summary>
    public static DiskDifference Of(ByteCount size, ByteCount otherSize, IEnumerable<ByteRange> ranges)
    {
        ArgumentNullException.ThrowIfNull(ranges);
        var kept = ImmutableArray.CreateBuilder<ByteRange>();
        var (bytes, count) = (0L, 0L);
        foreach (var range in ranges)
        {
            (bytes, count) = (bytes + range.Length, count + 1);
            if (kept.Count < MostRanges)
            {
                kept.Add(range);
            }
        }

        return new DiskDifference(size, otherSize, new ByteCount(bytes), count, kept.ToImmutable());
    }
}

/// <summary>A disk that at least one of two snapshots keeps.</summary>
/// <param name="Target">The disk, by target.</param>
/// <param name="IsInFirst">The first one keeps it.</param>
/// <param name="IsInSecond">The second one keeps it.</param>
/// <param name="Difference">Where it differs; null if only one of them keeps it.</param>
public sealed record DiskChange(string Target, bool IsInFirst, bool IsInSecond, DiskDifference? Difference);

/// <summary>What differs between two snapshots, or between a snapshot and the head.</summary>
/// <param name="From">The name of the first.</param>
/// <param name="To">The name of the second; null for the head.</param>
/// <param name="IsMoving">The second is the head of a domain that runs: what its guest has not written to the file yet is not
/// seen.</param>
/// <param name="Disks">The disks.</param>
/// <param name="Definition">The lines in which the definitions differ, with some around them; empty if they are the same.</param>
public sealed record SnapshotDifference(
    string From, string? To, bool IsMoving, ImmutableArray<DiskChange> Disks, ImmutableArray<string> Definition);
