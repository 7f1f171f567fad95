using System.Globalization;
using Coppice.Cli.Reports;

namespace Coppice.Cli.Drawing;

/// <summary>A plan for people: the steps, the files, and what it costs.</summary>
internal sealed class PlanDrawing(PlanReport plan)
{
    public void Draw(Surroundings surroundings)
    {
        var output = surroundings.Output;
        var snapshot = plan.Snapshot is { } known ? $" '{known.Name}'" : "";
        output.WriteLine(Printable.Line($"plan: {plan.Operation} {plan.Domain}{snapshot}"));
        output.WriteLine(Printable.Line($"way: {plan.Mechanism}"));
        Steps().Draw(surroundings);
        if (plan.Files.Count > 0)
        {
            output.WriteLine("files:");
            Files().Draw(surroundings);
        }

        foreach (var warning in plan.Warnings)
        {
            output.WriteLine($"warning: {Printable.Line(warning)}");
        }

        var pause = plan.ExpectedPauseMs > 0 ? $"expected pause: {Wording.Duration(plan.ExpectedPauseMs)}" : "no pause expected";
        output.WriteLine(
            $"{pause}; about {Wording.Bytes(plan.WrittenBytes)} written, "
            + $"{Wording.Bytes(plan.FreedBytes)} freed; nothing was done");
    }

    private Sheet Steps()
    {
        var sheet = new Sheet(3);
        var number = 0;
        var isCommitted = false;
        foreach (var step in plan.Steps)
        {
            if (step.Phase == Word.CleanUp && !isCommitted)
            {
                isCommitted = true;
                AddCommit(sheet);
            }

            sheet.Add($"  {(++number).ToString(CultureInfo.InvariantCulture)}", step.Phase == Word.CleanUp ? "clean up" : step.Phase, step.Summary);
        }

        if (!isCommitted)
        {
            AddCommit(sheet);
        }

        return sheet;
    }

    private static void AddCommit(Sheet sheet) => sheet.Add("  -", "commit", "the catalog is replaced");

    private Sheet Files()
    {
        var sheet = new Sheet(3);
        foreach (var file in plan.Files)
        {
            sheet.Add($"  {file.Effect}", Wording.Bytes(file.Bytes), file.Path);
        }

        return sheet;
    }
}
