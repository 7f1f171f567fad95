using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>What becomes of a snapshot when a domain is pruned.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="CreatedAt">When it was taken.</param>
/// <param name="Reasons">Why it stays: <c>last</c>, <c>daily</c>, <c>weekly</c>, <c>current</c>; none if it goes.</param>
internal sealed record RetainedReport(SnapshotReference Snapshot, DateTimeOffset CreatedAt, IReadOnlyList<string> Reasons)
{
    public static RetainedReport Of(Retained retained) =>
        new(SnapshotReference.Of(retained.Snapshot), retained.Snapshot.CreatedAt, retained.Reasons);
}
