using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>What differs between two snapshots, or a snapshot and the head.</summary>
/// <param name="Domain">The name of the domain.</param>
/// <param name="From">The name of the first snapshot.</param>
/// <param name="To">That of the second; null for the head.</param>
/// <param name="IsMoving">The head is that of a guest that runs.</param>
/// <param name="Disks">The disks.</param>
/// <param name="Definition">The lines that differ; empty if none does.</param>
internal sealed record DifferenceReport(
    string Domain, string From, string? To, bool IsMoving, IReadOnlyList<DiskChangeReport> Disks, IReadOnlyList<string> Definition)
{
    public static DifferenceReport Of(string domain, SnapshotDifference difference) => new(
        domain, difference.From, difference.To, difference.IsMoving, [.. difference.Disks.Select(DiskChangeReport.Of)], difference.Definition);
}

/// <summary>A disk.</summary>
/// <param name="Target">The name it goes by.</param>
/// <param name="In">Which of the two keep it: <c>both</c>, <c>first</c> or <c>second</c>.</param>
/// <param name="ChangedBytes">How much differs; null unless both keep it.</param>
/// <param name="ExtentCount">In how many ranges; null likewise.</param>
/// <param name="Extents">These ranges, at most 100,000.</param>
/// <param name="FromBytes">The size of the disk in the first.</param>
/// <param name="ToBytes">Its size in the second.</param>
internal sealed record DiskChangeReport(
    string Target, string In, long? ChangedBytes, long? ExtentCount, IReadOnlyList<ExtentReport> Extents, long? FromBytes, long? ToBytes)
{
    public static DiskChangeReport Of(DiskChange change)
    {
        var difference = change.Difference;
        return new DiskChangeReport(
            change.Target, difference is not null ? "both" : change.IsInFirst ? "first" : "second", difference?.Changed.Bytes, difference?.Count,
            difference is null ? [] : [.. difference.Ranges.Select(r => new ExtentReport(r.Offset, r.Length))],
            difference?.Size.Bytes, difference?.OtherSize.Bytes);
    }
}

/// <summary>A range of a disk, in bytes.</summary>
internal sealed record ExtentReport(long Offset, long Length);
