using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>Sums up what became of a plan.</summary>
internal static class Results
{
    public static OperationResult Planned(Plan plan, Catalog? catalog) =>
        new() { Plan = plan, Executed = false, Catalog = catalog, Mechanism = plan.Mechanism };

    public static OperationResult Executed(Plan plan, Catalog? catalog, ImmutableArray<StepRun> runs)
    {
        var reports = runs.Select(r => r.Report).ToArray();
        var mechanisms = reports.Select(r => r.Mechanism).OfType<string>().Distinct().ToArray();
        var pauses = reports.Select(r => r.Pause).OfType<TimeSpan>().ToArray();
        return new OperationResult
        {
            Plan = plan,
            Executed = true,
            Catalog = catalog,
            Steps = runs,
            Mechanism = mechanisms.Length == 0 ? plan.Mechanism : string.Join(", ", mechanisms),
            Pause = pauses.Length == 0 ? null : pauses.Aggregate((sum, pause) => sum + pause),
            Written = reports.Aggregate(default(ByteCount), (sum, report) => sum + report.Written),
        };
    }
}
