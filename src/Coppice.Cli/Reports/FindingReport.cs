using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>One thing that a check found.</summary>
/// <param name="Severity">How bad it is: <c>damage</c>, <c>fault</c> or <c>note</c>.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Domain">The name of the domain; null for what belongs to none.</param>
/// <param name="Subject">The thing.</param>
/// <param name="Problem">What is wrong with it.</param>
/// <param name="NextStep">What to do about it; may be empty.</param>
/// <param name="Repair">What mends it: <c>repair</c>, <c>orphans</c> if that has to be asked for too, or null.</param>
internal sealed record FindingReport(
    string Severity, string Kind, string? Domain, string Subject, string Problem, string NextStep, string? Repair)
{
    /// <summary>Whether a check that finds it fails.</summary>
    [JsonIgnore]
    public bool IsWrong => Severity != Word.Note;

    public static FindingReport Of(Finding finding) => new(
        Word.Of(finding.Severity), Word.Of(finding.Kind), finding.Domain, finding.Subject, finding.Problem, finding.NextStep,
        !finding.IsRepairable ? null : finding.Forgets ? "orphans" : "repair");
}
