using System.CommandLine;
using Coppice.Cli.Drawing;
using Coppice.Cli.Reports;

namespace Coppice.Cli;

/// <summary>Where answers go: drawn for people, or as JSON for programs. Both show the same reports.</summary>
internal abstract class Output
{
    /// <summary>The one that was asked for.</summary>
    public static Output For(ParseResult parse, Surroundings surroundings) =>
        parse.RootCommandResult.Command is CommandLine line && parse.GetValue(line.Json)
            ? new JsonOutput(surroundings)
            : new HumanOutput(surroundings);

    public abstract void Domains(IReadOnlyList<DomainReport> domains, IReadOnlyList<BrokenReport> broken);

    public abstract void Domain(DomainReport domain);

    public abstract void Snapshots(IReadOnlyList<SnapshotReport> snapshots, bool namesOnly);

    /// <param name="domain">The domain.</param>
    /// <param name="snapshots">All its snapshots, parents before their children.</param>
    public abstract void Tree(DomainReport domain, IReadOnlyList<SnapshotReport> snapshots);

    /// <param name="domain">The domain.</param>
    /// <param name="tips">Its tips, oldest first.</param>
    public abstract void Tips(DomainReport domain, IReadOnlyList<TipSizesReport> tips);

    public abstract void Snapshot(SnapshotReport snapshot);

    /// <summary>A snapshot where people expect its name only.</summary>
    public abstract void SnapshotName(SnapshotReport snapshot);

    public abstract void Jobs(IReadOnlyList<JobReport> jobs);

    public abstract void Job(JobReport job);

    public abstract void Xml(string xml);

    public abstract void Plan(PlanReport plan);

    /// <param name="result">What was done.</param>
    /// <param name="done">The same in a few words for people; <c>{snapshot}</c> stands for the name of the snapshot.</param>
    public abstract void Result(ResultReport result, string done);

    /// <param name="plans">What would be done.</param>
    /// <param name="results">What was done.</param>
    /// <param name="errors">What failed.</param>
    /// <param name="done">What was done, in a few words for people.</param>
    public abstract void Each(
        IReadOnlyList<PlanReport> plans, IReadOnlyList<ResultReport> results, IReadOnlyList<ErrorReport> errors, string done);

    public abstract void Usage(UsageReport usage);

    /// <param name="volumes">The volume, if it is mounted.</param>
    /// <param name="isThere">Whether there is one, mounted or not.</param>
    public abstract void Volumes(IReadOnlyList<VolumeReport> volumes, bool isThere);

    public abstract void Memory(MemoryStatusReport status);

    public abstract void Picture(PictureReport picture);

    public abstract void Difference(DifferenceReport difference);

    /// <param name="verified">What was read.</param>
    /// <param name="booted">The snapshots that were tried; null if none were to be.</param>
    public abstract void Verified(IReadOnlyList<VerificationReport> verified, IReadOnlyList<BootReport>? booted);

    /// <param name="findings">What a check found, or what is left of it.</param>
    /// <param name="carried">What was mended before.</param>
    public abstract void Findings(IReadOnlyList<FindingReport> findings, Carried carried);

    /// <summary>What a check found that is about to be mended, for people to agree to; the answer follows.</summary>
    public abstract void Announce(IReadOnlyList<FindingReport> findings);

    /// <param name="retained">What stays and what goes, oldest branches first.</param>
    /// <param name="carried">What was deleted.</param>
    public abstract void Pruned(IReadOnlyList<RetainedReport> retained, Carried carried);

    /// <summary>What stays and what is about to go, for people to agree to; the answer follows.</summary>
    public abstract void Announce(IReadOnlyList<RetainedReport> retained);

    /// <summary>What happened besides; the answer follows.</summary>
    public abstract void Warn(IReadOnlyList<string> warnings);

    public abstract void Capabilities(CapabilitiesReport capabilities);

    public abstract void Error(ErrorReport error);
}
