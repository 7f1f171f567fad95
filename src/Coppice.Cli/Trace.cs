using Coppice.Cli.Drawing;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>
/// The time that each part of an operation took, for <c>--trace</c>. It is printed to standard error when all is over, also if that failed:
/// while a guest stands still nobody writes to a terminal.
/// </summary>
internal sealed class Trace(Surroundings surroundings, bool isWanted) : IDisposable
{
    private readonly long _start = surroundings.Time.GetTimestamp();
    private readonly List<(TimeSpan At, OperationEvent Passed)> _passed = [];
    private readonly List<StepRun> _steps = [];

    /// <summary>Notes each point before somebody else is told of it.</summary>
    public Action<OperationEvent> Before(Action<OperationEvent> told) => !isWanted ? told : passed =>
    {
        if (passed.Point is not (OperationPoint.StepProgressed or OperationPoint.JobProgressed))
        {
            _passed.Add((surroundings.Time.GetElapsedTime(_start), passed));
        }

        told(passed);
    };

    /// <summary>Notes the parts of the steps that were carried out.</summary>
    public void Add(OperationResult? result) => _steps.AddRange(result?.Steps ?? []);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!isWanted)
        {
            return;
        }

        var (sheet, before) = (new Sheet("AT", "TOOK", "WHAT"), TimeSpan.Zero);
        foreach (var (at, passed) in _passed)
        {
            sheet.Add(Wording.Duration(at.TotalMilliseconds), Wording.Duration((at - before).TotalMilliseconds), Printable.Line(Word(passed)));
            before = at;
            if (passed is { Point: OperationPoint.StepApplied, Step: { } step } && _steps.Find(s => s.Kind == step.Kind && s.Summary == step.Summary) is { } run)
            {
                foreach (var part in run.Report.Timings)
                {
                    sheet.Add("", Wording.Duration(part.Elapsed.TotalMilliseconds), $"  of that: {part.Name}");
                }
            }
        }

        var end = surroundings.Time.GetElapsedTime(_start);
        sheet.Add(Wording.Duration(end.TotalMilliseconds), Wording.Duration((end - before).TotalMilliseconds), "the answer");
        sheet.Draw(surroundings with { Output = surroundings.Error, OutputIsTerminal = surroundings.ErrorIsTerminal });
        surroundings.Error.Flush();
    }

    /// <summary>What was done until a point was passed.</summary>
    private static string Word(OperationEvent passed) => passed.Point switch
    {
        OperationPoint.Planned => "lock, recover, observe, plan; the plan is in the journal",
        OperationPoint.StepIntended => "the intent is in the journal",
        OperationPoint.StepApplied => passed.Step!.Summary,
        OperationPoint.StepRecorded => "the outcome is in the journal",
        OperationPoint.Committing => "the catalog's records",
        OperationPoint.Committed => "the catalog's root: it stands",
        OperationPoint.StepUndoing => "the undoing is about to begin",
        OperationPoint.StepUndone => $"undone: {passed.Step!.Summary}",
        _ => "the journal is gone",
    };
}
