using Coppice.Core;

namespace Coppice.Cli.Reports;

/// <summary>A layer or memory image, and how it compares with its checksum.</summary>
/// <param name="State">How it compares.</param>
/// <param name="Disk">The disk of a layer; null for memory.</param>
/// <param name="File">Its file.</param>
/// <param name="Snapshots">The names of the snapshots that rely on it.</param>
/// <param name="Problem">What more can be said; may be empty.</param>
internal sealed record VerificationReport(string State, string? Disk, string File, IReadOnlyList<string> Snapshots, string Problem)
{
    public static VerificationReport Of(Verification verification) => new(
        Word.Of(verification.State), verification.Disk, verification.File, verification.Snapshots, verification.Problem);
}

/// <summary>A snapshot, and what became of a guest that was let run from it.</summary>
/// <param name="Snapshot">The snapshot.</param>
/// <param name="End"><c>answers</c>, <c>runs</c>, <c>failed</c> or <c>not-tried</c>.</param>
/// <param name="Problem">What was seen; may be empty.</param>
internal sealed record BootReport(SnapshotReference Snapshot, string End, string Problem)
{
    public static BootReport Of(Snapshot snapshot, GuestTrial trial) =>
        new(SnapshotReference.Of(snapshot), Word.Of(trial.End), trial.Problem);

    public static BootReport NotTried(Snapshot snapshot, CoppiceException reason) =>
        new(SnapshotReference.Of(snapshot), Word.NotTried, reason.Message);
}
