using Coppice.Cli.Reports;
using Spectre.Console;

namespace Coppice.Cli.Drawing;

/// <summary>Answers for people.</summary>
internal sealed class HumanOutput(Surroundings surroundings) : Output
{
    private static readonly Style s_strong = new(decoration: Decoration.Bold);

    public override void Domains(IReadOnlyList<DomainReport> domains, IReadOnlyList<BrokenReport> broken)
    {
        foreach (var one in broken)
        {
            Error(one.Error);
        }

        if (domains.Count == 0)
        {
            Line(broken.Count == 0 ? "no domains; make one: coppice create NAME --disk IMAGE --memory 2G" : "no domain can be read");
            return;
        }

        DomainDrawing.Table(domains).Draw(surroundings);
    }

    public override void Domain(DomainReport domain) => DomainDrawing.Details(domain, surroundings.Time).Draw(surroundings);

    public override void Snapshots(IReadOnlyList<SnapshotReport> snapshots, bool namesOnly)
    {
        if (namesOnly)
        {
            foreach (var snapshot in snapshots)
            {
                SnapshotName(snapshot);
            }
        }
        else if (snapshots.Count > 0)
        {
            SnapshotDrawing.Table(snapshots, surroundings).Draw(surroundings);
        }
        else
        {
            Line("no snapshots");
        }
    }

    public override void Tree(DomainReport domain, IReadOnlyList<SnapshotReport> snapshots)
    {
        new TreeDrawing(domain, snapshots, surroundings.Time).ToSheet().Draw(surroundings);
        foreach (var layer in domain.UnnamedLayers)
        {
            Line(Printable.Line($"a layer without a name: {Wording.Left(layer)}"));
        }
    }

    public override void Tips(DomainReport domain, IReadOnlyList<TipSizesReport> tips)
    {
        if (tips.Count == 0)
        {
            Line("no tips");
        }
        else
        {
            var sheet = new Sheet("TIP", "STATE", "FROM", "MEMORY", "OWN", "LEFT");
            foreach (var tip in tips)
            {
                sheet.Add(
                    new Cell(tip.Id, s_strong),
                    Wording.State(tip.State),
                    tip.Current?.Name ?? "-",
                    Wording.Bytes(tip.MemoryBytes),
                    Wording.Bytes(tip.OwnBytes),
                    $"{Wording.Time(tip.LeftAt, surroundings.Time)}, {Wording.Age(tip.LeftAt, surroundings.Time)}");
            }

            sheet.Draw(surroundings);
        }

        Line(Wording.Retention(domain.TipRetention));
    }

    public override void Snapshot(SnapshotReport snapshot)
    {
        SnapshotDrawing.Details(snapshot, surroundings).Draw(surroundings);
        if (snapshot.Description.Length > 0)
        {
            Line("");
            Line(Printable.Lines(snapshot.Description));
        }
    }

    public override void SnapshotName(SnapshotReport snapshot) => Line(Printable.Line(snapshot.Name));

    public override void Jobs(IReadOnlyList<JobReport> jobs)
    {
        if (jobs.Count == 0)
        {
            Line("no merges");
            return;
        }

        var sheet = new Sheet("JOB", "DISK", "WAY", "STATE", "DONE", "");
        foreach (var job in jobs)
        {
            sheet.Add(new Cell(job.Id, s_strong), job.Disk, job.Direction, job.State, Wording.Done(job), job.Reason ?? "");
        }

        sheet.Draw(surroundings);
    }

    public override void Job(JobReport job)
    {
        var sheet = new Sheet(2);
        sheet.Add("job", new Cell(job.Id, s_strong));
        sheet.Add("disk", job.Disk);
        sheet.Add("way", job.Direction);
        sheet.Add("state", job.Reason is null ? job.State : $"{job.State}: {job.Reason}");
        sheet.Add("done", Wording.Done(job));
        sheet.Add(job.IsCopy ? "into" : "older", job.Lower);
        sheet.Add(job.IsCopy ? "from" : "newer", job.Upper);
        sheet.Draw(surroundings);
    }

    public override void Xml(string xml) => surroundings.Output.Write(xml.EndsWith('\n') ? xml : xml + "\n");

    public override void Plan(PlanReport plan) => new PlanDrawing(plan).Draw(surroundings);

    public override void Result(ResultReport result, string done)
    {
        Warn(result.Warnings);
        string?[] facts =
        [
            Wording.Duration(result.ElapsedMs),
            result.Mechanism,
            result.PauseMs is { } pause ? $"guest stood still for {Wording.Duration(pause)}" : null,
            result.WrittenBytes > 0 ? $"{Wording.Bytes(result.WrittenBytes)} written" : null,
        ];
        var what = done.Replace("{snapshot}", $"'{result.Snapshot?.Name}'", StringComparison.Ordinal)
            .Replace("{tip}", result.Tip, StringComparison.Ordinal);
        Line(Printable.Line($"{result.Domain}: {what}"));
        Line(Printable.Line($"  {string.Join("; ", facts.Where(f => !string.IsNullOrEmpty(f)))}"));
    }

    public override void Each(
        IReadOnlyList<PlanReport> plans, IReadOnlyList<ResultReport> results, IReadOnlyList<ErrorReport> errors, string done)
    {
        foreach (var plan in plans)
        {
            Plan(plan);
        }

        foreach (var result in results)
        {
            Result(result, done);
        }

        foreach (var error in errors)
        {
            Error(error);
        }

        if (plans.Count + results.Count + errors.Count == 0)
        {
            Line("nothing to do");
        }
    }

    public override void Usage(UsageReport usage) => new UsageDrawing(usage).Draw(surroundings);

    public override void Volumes(IReadOnlyList<VolumeReport> volumes, bool isThere) => MemoryDrawing.Draw(volumes, isThere, surroundings);

    public override void Memory(MemoryStatusReport status) => MemoryDrawing.Draw(status, surroundings);

    public override void Picture(PictureReport picture) =>
        surroundings.Output.WriteLine($"{Printable.Line(picture.Domain)}: screen {picture.Screen} is in {Printable.Line(picture.File)}");

    public override void Difference(DifferenceReport difference) => new DifferenceDrawing(difference).Draw(surroundings);

    public override void Verified(IReadOnlyList<VerificationReport> verified, IReadOnlyList<BootReport>? booted)
    {
        var sheet = new Sheet("STATE", "WHAT", "FILE", "");
        foreach (var one in verified)
        {
            var style = one.State is Word.Intact or Word.Taken or Word.Unverified ? null : new Style(Color.Red);
            sheet.Add(new Cell(one.State, style), one.Disk ?? "memory", one.File, one.Problem);
        }

        sheet.Draw(surroundings);
        foreach (var one in booted ?? [])
        {
            var problem = one.Problem.Length == 0 ? "" : $": {one.Problem}";
            Line(Printable.Line($"{one.Snapshot.Name}: the guest {Wording.Trial(one.End)}{problem}"));
        }
    }

    public override void Findings(IReadOnlyList<FindingReport> findings, Carried carried)
    {
        if (carried.Plans.Count + carried.Results.Count + carried.Failed.Count > 0)
        {
            Each(carried.Plans, carried.Results, [.. carried.Failed.Select(ErrorReport.Of)], "mended");
        }

        Announce(findings);
    }

    public override void Announce(IReadOnlyList<FindingReport> findings)
    {
        foreach (var finding in findings)
        {
            var about = finding.Domain is null ? "" : $"{finding.Domain}: ";
            Line(Printable.Line($"{finding.Severity,-6}  {about}{finding.Subject}: {finding.Problem}"));
            if (finding.NextStep.Length > 0)
            {
                Line(Printable.Line($"        {finding.NextStep}"));
            }
        }

        var wrong = findings.Count(f => f.IsWrong);
        Line(wrong == 0 ? "nothing is wrong" : $"{wrong} thing{(wrong == 1 ? " is" : "s are")} wrong");
    }

    public override void Pruned(IReadOnlyList<RetainedReport> retained, Carried carried)
    {
        if (carried.Results.Count + carried.Failed.Count == 0)
        {
            Announce(retained);
        }
        else
        {
            Each(carried.Plans, carried.Results, [.. carried.Failed.Select(ErrorReport.Of)], "snapshot deleted");
        }
    }

    public override void Announce(IReadOnlyList<RetainedReport> retained)
    {
        var sheet = new Sheet("", "NAME", "CREATED", "BECAUSE");
        foreach (var one in retained)
        {
            sheet.Add(
                one.Reasons.Count == 0 ? "goes" : "stays", one.Snapshot.Name, Wording.Time(one.CreatedAt, surroundings.Time),
                string.Join(", ", one.Reasons));
        }

        sheet.Draw(surroundings);
    }

    public override void Warn(IReadOnlyList<string> warnings)
    {
        foreach (var warning in warnings)
        {
            surroundings.Error.WriteLine($"coppice: warning: {Printable.Line(warning)}");
        }
    }

    public override void Capabilities(CapabilitiesReport capabilities)
    {
        Line(Printable.Line($"{capabilities.Driver} {capabilities.Version}"));
        var sheet = new Sheet(2);
        foreach (var capability in capabilities.Capabilities)
        {
            sheet.Add(new Cell("yes", new Style(Color.Green)), capability);
        }

        foreach (var capability in capabilities.Missing)
        {
            sheet.Add("no", capability);
        }

        sheet.Draw(surroundings);
    }

    public override void Error(ErrorReport error) => surroundings.Error.WriteLine($"coppice: {Printable.Line(error.Message)}");

    private void Line(string text) => surroundings.Output.WriteLine(text);
}
