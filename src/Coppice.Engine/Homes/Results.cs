using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Sums up what became of a plan.</summary>
internal static class Results
{
    public static OperationResult Planned(Plan plan, Catalog? catalog) =>
        new() { Plan = plan, Executed = false, Catalog = catalog, Mechanism = plan.Mechanism };

    /// <param name="plan">What was planned.</param>
    /// <param name="catalog">The catalog afterwards.</param>
    /// <param name="runs">What was carried out.</param>
    /// <param name="warnings">What went wrong besides what the steps tell.</param>
    public static OperationResult Executed(
        Plan plan, Catalog? catalog, ImmutableArray<StepRun> runs, IEnumerable<string> warnings)
    {
        var reports = runs.Select(r => r.Report).ToArray();
        var mechanisms = reports.Select(r => r.Mechanism).OfType<string>().Distinct().ToArray();
        return new OperationResult
        {
            Plan = plan,
            Executed = true,
            Catalog = catalog,
            Steps = runs,
            Mechanism = mechanisms.Length == 0 ? plan.Mechanism : string.Join(", ", mechanisms),
            Pause = Pause(runs),
            Warnings = [.. warnings, .. reports.Select(r => r.Warning).OfType<string>()],
            Written = reports.Aggregate(default(ByteCount), (sum, report) => sum + report.Written),
        };
    }

    /// <summary>What became of two operations of one request, of which the first was planned for it.</summary>
    public static OperationResult Then(this OperationResult first, OperationResult second) => first with
    {
        Catalog = second.Catalog,
        Steps = [.. first.Steps, .. second.Steps],
        Written = first.Written + second.Written,
        Warnings = [.. first.Warnings.Union(second.Plan.Warnings.Except(first.Plan.Warnings)).Union(second.Warnings)],
    };

    /// <summary>The pauses within steps, and one that lasted from a step to a later one with all that was between.</summary>
    private static TimeSpan? Pause(ImmutableArray<StepRun> runs)
    {
        TimeSpan? pause = null, stopped = null;
        foreach (var run in runs)
        {
            var (began, report) = (run.Began, run.Report);
            pause = report.Pause is { } within ? pause.GetValueOrDefault() + within : pause;
            if (report.StandingAtEnd is { } standing)
            {
                stopped = began + run.Elapsed - standing;
            }
            else if (report.WentOnAfter is { } after && stopped is { } since)
            {
                pause = pause.GetValueOrDefault() + began + after - since;
                stopped = null;
            }
        }

        return pause;
    }
}
