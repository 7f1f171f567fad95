using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>What an operation would do.</summary>
/// <param name="Operation">The operation, in the words of the command line.</param>
/// <param name="Domain">The name of the domain.</param>
/// <param name="DomainId">Its uuid.</param>
/// <param name="Snapshot">The snapshot it is about.</param>
/// <param name="Mechanism">The way it would be done.</param>
/// <param name="Steps">The steps, in order; the catalog is replaced before the first that cleans up.</param>
/// <param name="Files">Every file that would be created, changed or deleted.</param>
/// <param name="WrittenBytes">About how many bytes would be written.</param>
/// <param name="FreedBytes">About how many bytes would be freed.</param>
/// <param name="ExpectedPauseMs">How long the guest is expected to stand still.</param>
/// <param name="Warnings">What to know before agreeing.</param>
internal sealed record PlanReport(
    string Operation,
    string Domain,
    string DomainId,
    SnapshotReference? Snapshot,
    string Mechanism,
    IReadOnlyList<PlannedStepReport> Steps,
    IReadOnlyList<FileReport> Files,
    long WrittenBytes,
    long FreedBytes,
    double ExpectedPauseMs,
    IReadOnlyList<string> Warnings)
{
    public static PlanReport Of(Plan plan, Catalog? catalog, Request request)
    {
        FileReport[] files = [.. plan.Steps.SelectMany(s => s.Files).Select(f => new FileReport(Word.Of(f.Effect), f.Path, f.Bytes.Bytes))];
        return new PlanReport(
            plan.Operation,
            Subject.Domain(plan, catalog, request),
            plan.Domain.ToString(),
            Subject.Snapshot(plan, catalog, request),
            plan.Mechanism,
            [
                .. plan.Prepare.Select(s => PlannedStepReport.Of(Word.Prepare, s)),
                .. plan.Switch is { } moves ? [PlannedStepReport.Of(Word.Switch, moves)] : Array.Empty<PlannedStepReport>(),
                .. plan.CleanUp.Select(s => PlannedStepReport.Of(Word.CleanUp, s)),
            ],
            files,
            Sum(plan, f => f.Effect != FileEffect.Delete),
            Sum(plan, f => f.Effect == FileEffect.Delete),
            plan.ExpectedPause.TotalMilliseconds,
            plan.Warnings);
    }

    private static long Sum(Plan plan, Func<FileChange, bool> isMeant) =>
        plan.Steps.SelectMany(s => s.Files).Where(isMeant).Sum(f => f.Bytes.Bytes);
}

/// <summary>A step that would be carried out, in one of the phases <c>prepare</c>, <c>switch</c> and <c>cleanUp</c>.</summary>
internal sealed record PlannedStepReport(string Phase, string Kind, string Summary, string Undo, double ExpectedPauseMs)
{
    public static PlannedStepReport Of(string phase, Step step) =>
        new(phase, step.Kind, step.Summary, Word.Of(step.Undo), step.ExpectedPause.TotalMilliseconds);
}

/// <summary>A file that would be touched, and about how many bytes that concerns.</summary>
internal sealed record FileReport(string Effect, string Path, long Bytes);

/// <summary>What a plan is about, by name.</summary>
internal static class Subject
{
    /// <summary>The domain; its name is in the catalog, unless there is none yet or none any more.</summary>
    public static string Domain(Plan plan, Catalog? catalog, Request request) => catalog?.Name ?? request switch
    {
        DefineDomain define => define.Definition.Name,
        RunTransient run => run.Definition.Name,
        ForkSnapshot fork => fork.Name,
        DomainRequest other => other.Domain,
        _ => plan.Domain.ToString(),
    };

    /// <summary>The snapshot that is taken, changed or reverted to; null for all else, and for one that goes.</summary>
    public static SnapshotReference? Snapshot(Plan plan, Catalog? catalog, Request request) => (plan.Commit, request) switch
    {
        (null, _) => null,
        ({ } commit, CreateSnapshot { Branch.IsCurrent: false }) => Put(commit, _ => true),
        ({ Current: { } taken } commit, CreateSnapshot) => Put(commit, s => s.Id == taken),
        ({ } commit, EditSnapshot or RedefineSnapshot or ForkSnapshot) => Put(commit, _ => true),
        ({ } commit, RevertSnapshot or UndoRevert or RevertToTip or SetCurrentSnapshot) =>
            catalog is null ? null : SnapshotReference.Of(catalog, commit.Current),
        _ => null,
    };

    /// <summary>The tip that is returned to: the first that goes, since it is used up; null for all else.</summary>
    public static string? Tip(Plan plan, Request request) =>
        request is UndoRevert or RevertToTip ? plan.Commit?.DropTips[0].Value : null;

    private static SnapshotReference? Put(CatalogChange commit, Func<Snapshot, bool> isMeant) =>
        commit.Put.FirstOrDefault(isMeant) is { } snapshot ? SnapshotReference.Of(snapshot) : null;
}
