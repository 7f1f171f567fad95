using System.Globalization;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli;

/// <summary>
/// The step that is being carried out, in one line of standard error that is written over. Only on a terminal: in a log it
/// would be noise.
/// </summary>
internal sealed class ProgressLine(Surroundings surroundings) : IDisposable
{
    private const string Begin = "\r\u001b[K";
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);
    private long? _shown;

    /// <summary>Called inline by the operation, also while the guest stands still: it never waits for long.</summary>
    public void Show(OperationEvent happened)
    {
        if (!surroundings.ErrorIsTerminal)
        {
            return;
        }

        if (happened is { Job: { } job, Progress: { } merged })
        {
            Write($"merge {job.Id} of disk '{job.Disk}' {Share(merged)}");
        }

        if (happened is { Mirror: { } mirror, Progress: { } copied })
        {
            Write($"copy {mirror.Id} of disk '{mirror.Disk}' {Share(copied)}");
        }

        if (happened.Step is not { } step)
        {
            return;
        }

        if (happened.Point is OperationPoint.StepIntended or OperationPoint.StepUndoing)
        {
            Write((happened.Point == OperationPoint.StepUndoing ? "undoing: " : "") + step.Summary);
        }
        else if (happened.Progress is { } progress && (_shown is not { } then || surroundings.Time.GetElapsedTime(then) >= s_interval))
        {
            Write($"{step.Summary} {Share(progress)}");
        }
    }

    public void Clear()
    {
        if (_shown is not null)
        {
            surroundings.Error.Write(Begin);
            surroundings.Error.Flush();
            _shown = null;
        }
    }

    public void Dispose() => Clear();

    private static string Share(StepProgress progress) => progress.Total.Bytes > 0
        ? string.Create(CultureInfo.InvariantCulture, $"{100 * Math.Min(1.0, (double)progress.Done.Bytes / progress.Total.Bytes):0} % of {progress.Total}")
        : progress.Done.ToString();

    private void Write(string text)
    {
        _shown = surroundings.Time.GetTimestamp();
        surroundings.Error.Write(Begin);
        surroundings.Error.Write(Printable.Line(text));
        surroundings.Error.Flush();
    }
}
