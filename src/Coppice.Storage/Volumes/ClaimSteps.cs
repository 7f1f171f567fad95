using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage.Volumes;

/// <summary>Steps that take room on a memory volume.</summary>
internal static class ClaimSteps
{
    public const string ClaimKind = "storage.claim-room";

    public static Step Claim(RoomClaim claim) => Step.Of(
        ClaimKind, $"claim room on the memory volume {(claim.IsClone ? "for what is written beside a clone of" : "for RAM")} {claim.Ram}",
        StepUndo.Exact, claim, StorageJson.Default.RoomClaim);

    public static StepKind Kind(VolumeStore volumes) => new StepKind<RoomClaim>(
        StorageJson.Default.RoomClaim,
        async (claim, context, cancellation) =>
        {
            await volumes.ClaimAsync(context.Folder.Home, claim, cancellation).ConfigureAwait(false);
            return StepReport.Nothing;
        },
        (claim, _, _) =>
        {
            DurableFile.Remove(claim.IsClone ? claim.Mark : claim.Ram);
            return Task.CompletedTask;
        },
        (claim, _, _) => Task.FromResult(File.Exists(claim.IsClone ? claim.Mark : claim.Ram) ? StepOutcome.Done : StepOutcome.NotDone));
}
