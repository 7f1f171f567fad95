using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Coppice.Cli.Reports;

namespace Coppice.Cli;

/// <summary>Answers as JSON, errors too: a program reads standard output only.</summary>
internal sealed class JsonOutput(Surroundings surroundings) : Output
{
    private IReadOnlyList<string>? _warnings;

    public override void Domains(IReadOnlyList<DomainReport> domains, IReadOnlyList<BrokenReport> broken) =>
        Write(new Answer { Domains = domains, Broken = broken });

    public override void Domain(DomainReport domain) => Write(new Answer { Domain = domain });

    public override void Snapshots(IReadOnlyList<SnapshotReport> snapshots, bool namesOnly) =>
        Write(new Answer { Snapshots = snapshots });

    public override void Tree(DomainReport domain, IReadOnlyList<SnapshotReport> snapshots) =>
        Write(new Answer { Domain = domain, Snapshots = snapshots });

    public override void Tips(DomainReport domain, IReadOnlyList<TipSizesReport> tips) =>
        Write(new Answer { Domain = domain, Tips = tips });

    public override void Snapshot(SnapshotReport snapshot) => Write(new Answer { Snapshot = snapshot });

    public override void SnapshotName(SnapshotReport snapshot) => Write(new Answer { Snapshot = snapshot });

    public override void Jobs(IReadOnlyList<JobReport> jobs) => Write(new Answer { Jobs = jobs });

    public override void Job(JobReport job) => Write(new Answer { Job = job });

    public override void Xml(string xml) => Write(new Answer { Xml = xml });

    public override void Plan(PlanReport plan) => Write(new Answer { Plan = plan });

    public override void Result(ResultReport result, string done) => Write(new Answer { Result = result });

    public override void Each(
        IReadOnlyList<PlanReport> plans, IReadOnlyList<ResultReport> results, IReadOnlyList<ErrorReport> errors, string done) =>
        Write(new Answer { Plans = plans, Results = results, Errors = errors });

    public override void Usage(UsageReport usage) => Write(new Answer { Usage = usage });

    public override void Volumes(IReadOnlyList<VolumeReport> volumes, bool isThere) => Write(new Answer { Volumes = volumes });

    public override void Memory(MemoryStatusReport status) => Write(new Answer { Memory = status });

    public override void Picture(PictureReport picture) => Write(new Answer { Picture = picture });

    public override void Difference(DifferenceReport difference) => Write(new Answer { Difference = difference });

    public override void Verified(IReadOnlyList<VerificationReport> verified, IReadOnlyList<BootReport>? booted) =>
        Write(new Answer { Verified = verified, Booted = booted });

    public override void Findings(IReadOnlyList<FindingReport> findings, Carried carried) => Write(new Answer
    {
        Findings = findings,
        Plans = carried.Plans.Count == 0 ? null : carried.Plans,
        Results = carried.Results.Count == 0 ? null : carried.Results,
        Errors = carried.Failed.Count == 0 ? null : [.. carried.Failed.Select(ErrorReport.Of)],
    });

    public override void Announce(IReadOnlyList<FindingReport> findings)
    {
    }

    public override void Pruned(IReadOnlyList<RetainedReport> retained, Carried carried) => Write(new Answer
    {
        Pruned = retained,
        Results = carried.Results.Count == 0 ? null : carried.Results,
        Errors = carried.Failed.Count == 0 ? null : [.. carried.Failed.Select(ErrorReport.Of)],
    });

    public override void Announce(IReadOnlyList<RetainedReport> retained)
    {
    }

    public override void Warn(IReadOnlyList<string> warnings) => _warnings = warnings.Count == 0 ? null : warnings;

    public override void Capabilities(CapabilitiesReport capabilities) => Write(new Answer { Capabilities = capabilities });

    public override void Error(ErrorReport error) => Write(new Answer { Error = error });

    // Quotes, umlauts and the like stay as they are: the answer is read by programs and people, not by browsers.
    private void Write(Answer answer)
    {
        using var buffer = new MemoryStream();
        var options = new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            JsonSerializer.Serialize(writer, answer with { Warnings = _warnings }, AnswerJson.Default.Answer);
        }

        surroundings.Output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }
}
