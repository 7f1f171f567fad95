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

    public abstract void Snapshot(SnapshotReport snapshot);

    /// <summary>A snapshot where people expect its name only.</summary>
    public abstract void SnapshotName(SnapshotReport snapshot);

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

    /// <summary>What happened besides; the answer follows.</summary>
    public abstract void Warn(IReadOnlyList<string> warnings);

    public abstract void Capabilities(CapabilitiesReport capabilities);

    public abstract void Error(ErrorReport error);
}
