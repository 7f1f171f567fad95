using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>What a domain takes on disk.</summary>
/// <param name="Domain">Its name.</param>
/// <param name="References">Its snapshots, tips and head.</param>
/// <param name="TotalBytes">All files that they need.</param>
/// <param name="BroughtBytes">Those that the user brought, or that another domain lends.</param>
/// <param name="LinkedBytes">Those that have names elsewhere too.</param>
internal sealed record UsageReport(
    string Domain, IReadOnlyList<ReferenceUsageReport> References, long TotalBytes, long BroughtBytes, long LinkedBytes)
{
    public static UsageReport Of(string domain, DomainUsage usage) => new(
        domain, [.. usage.References.Select(ReferenceUsageReport.Of)], usage.Total.Bytes, usage.Brought.Bytes, usage.Linked.Bytes);
}

/// <summary>What a snapshot, a tip or the head takes.</summary>
/// <param name="Kind"><c>snapshot</c>, <c>tip</c> or <c>head</c>.</param>
/// <param name="Name">What it is called.</param>
/// <param name="OwnBytes">What would be freed if it alone went.</param>
/// <param name="SharedBytes">What it needs besides.</param>
/// <param name="MemoryBytes">Its memory image, which is in one of the two.</param>
/// <param name="IsInside">It keeps something inside images, which is not told apart.</param>
internal sealed record ReferenceUsageReport(
    string Kind, string Name, long OwnBytes, long SharedBytes, long MemoryBytes, bool IsInside)
{
    public static ReferenceUsageReport Of(ReferenceUsage usage) => new(
        Word.Of(usage.Kind), usage.Name, usage.Own.Bytes, usage.Shared.Bytes, usage.Memory.Bytes, usage.IsInside);
}
