using System.Text.Json.Serialization;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Cli.Reports;

/// <summary>A merge or copy of a disk that is on record.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Disk">The disk, by target.</param>
/// <param name="Direction"><c>commit</c> or <c>stream</c>; <c>copy</c>, <c>shallow copy</c> or <c>commit and go over</c> of a disk that is being copied.</param>
/// <param name="State">
/// <c>waiting</c>, <c>running</c>, <c>ready</c> (the next command finishes it, or whoever says how a copy ends) or <c>failed</c>.
/// </param>
/// <param name="DoneBytes">How much of the disk has been looked at.</param>
/// <param name="TotalBytes">How much there is; 0 if that is not known yet.</param>
/// <param name="Lower">The older image; what a disk is copied into.</param>
/// <param name="Upper">The newer one, which builds on it; what a disk is copied from.</param>
/// <param name="Reason">Why it waits or has failed, if there is a reason.</param>
internal sealed record JobReport(
    string Id, string Disk, string Direction, string State, long DoneBytes, long TotalBytes, string Lower, string Upper, string? Reason)
{
    /// <summary>A disk is being copied.</summary>
    [JsonIgnore]
    public bool IsCopy { get; init; }

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

    public static JobReport Of(MirrorView view) => new(
        view.Mirror.Id.ToString(),
        view.Mirror.Disk,
        Word.Of(view.Mirror.Kind),
        Word.Of(view.Observation.State),
        view.Observation.Done.Bytes,
        view.Observation.Total.Bytes,
        view.Target.Path,
        view.Source.Path,
        view.Observation switch
        {
            { Error: { } error } => error,
            { State: MergeState.Gone } => "it has ended with its process, and is taken off the record next",
            { State: MergeState.Ready } when view.Mirror.End is null => "say how it ends: job finish, job cancel",
            _ => null,
        }) { IsCopy = true };
}
