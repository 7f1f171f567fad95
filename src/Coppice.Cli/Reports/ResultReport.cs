using System.Text.Json.Serialization;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Reports;

/// <summary>What an operation did.</summary>
/// <param name="Operation">The operation, in the words of the command line.</param>
/// <param name="OperationId">Its id, as in the journal.</param>
/// <param name="Domain">The name of the domain.</param>
/// <param name="DomainId">Its uuid.</param>
/// <param name="Snapshot">The snapshot it was about.</param>
/// <param name="Mechanism">The way it was done.</param>
/// <param name="PauseMs">How long the guest stood still; null if it did not have to.</param>
/// <param name="ElapsedMs">How long it all took, waiting for the lock included.</param>
/// <param name="WrittenBytes">The bytes that were written.</param>
/// <param name="Steps">The steps with their times.</param>
/// <param name="Warnings">What was worth knowing before, and what could not be cleaned up.</param>
internal sealed record ResultReport(
    string Operation,
    string OperationId,
    string Domain,
    string DomainId,
    SnapshotReference? Snapshot,
    string Mechanism,
    double? PauseMs,
    double ElapsedMs,
    long WrittenBytes,
    IReadOnlyList<StepRunReport> Steps,
    IReadOnlyList<string> Warnings)
{
    /// <summary>The id of the tip that was returned to, for people; null for all else.</summary>
    [JsonIgnore]
    public string? Tip { get; init; }

    public static ResultReport Of(OperationResult result, Request request) => new(
        result.Plan.Operation,
        result.Plan.Id.ToString(),
        Subject.Domain(result.Plan, result.Catalog, request),
        result.Plan.Domain.ToString(),
        Subject.Snapshot(result.Plan, result.Catalog, request),
        result.Mechanism,
        result.Pause?.TotalMilliseconds,
        result.Elapsed.TotalMilliseconds,
        result.Written.Bytes,
        [.. result.Steps.Select(StepRunReport.Of)],
        [.. result.Plan.Warnings, .. result.Warnings])
    {
        Tip = Subject.Tip(result.Plan, request),
    };
}

/// <summary>A step that was carried out.</summary>
internal sealed record StepRunReport(
    string Kind,
    string Summary,
    double ElapsedMs,
    string? Mechanism,
    double? PauseMs,
    long WrittenBytes,
    IReadOnlyList<TimingReport> Timings)
{
    public static StepRunReport Of(StepRun run) => new(
        run.Kind,
        run.Summary,
        run.Elapsed.TotalMilliseconds,
        run.Report.Mechanism,
        run.Report.Pause?.TotalMilliseconds,
        run.Report.Written.Bytes,
        [.. run.Report.Timings.Select(t => new TimingReport(t.Name, t.Elapsed.TotalMilliseconds))]);
}

/// <summary>How long a part of a step took.</summary>
internal sealed record TimingReport(string Name, double ElapsedMs);
