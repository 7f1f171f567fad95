using Coppice.Engine;

namespace Coppice.Cli.Reports;

/// <summary>A merge that is on record.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Disk">The disk, by target.</param>
/// <param name="Direction"><c>commit</c> or <c>stream</c>.</param>
/// <param name="State"><c>waiting</c>, <c>running</c>, <c>ready</c> (the next command finishes it) or <c>failed</c>.</param>
/// <param name="DoneBytes">How much of the disk has been looked at.</param>
/// <param name="TotalBytes">How much there is; 0 if that is not known yet.</param>
/// <param name="Lower">The older image.</param>
/// <param name="Upper">The newer one, which builds on it.</param>
/// <param name="Reason">Why it waits or has failed, if there is a reason.</param>
internal sealed record JobReport(
    string Id, string Disk, string Direction, string State, long DoneBytes, long TotalBytes, string Lower, string Upper, string? Reason)
{
    public static JobReport Of(JobView view) => new(
        view.Job.Id.ToString(),
        view.Job.Disk,
        Word.Of(view.Job.Direction),
        Word.Of(view.Observation.State),
        view.Observation.Done.Bytes,
        view.Observation.Total.Bytes,
        view.Lower.Path,
        view.Upper.Path,
        view.Observation.Error ?? view.Waits);
}
