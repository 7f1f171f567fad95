using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>Makes raw images that hold nothing yet: one hole.</summary>
internal static class RawSteps
{
    public const string CreateKind = "storage.create-raw";

    public static Step Create(Layer image) => Step.Of(
        CreateKind, $"create an empty raw image for {image.Disk}", StepUndo.UnlessSwitched,
        new RawArguments(image.Path, image.VirtualSize.Bytes), StorageJson.Default.RawArguments) with
    {
        Files = [new FileChange(FileEffect.Create, image.Path, default)],
    };

    public static StepKind CreateStep => new StepKind<RawArguments>(
        StorageJson.Default.RawArguments,
        async (image, _, cancellation) =>
        {
            await NewImage.MakeAsync(image.Path, partial => Task.Run(() => Write(partial, image.SizeBytes), cancellation)).ConfigureAwait(false);
            return StepReport.Nothing;
        },
        (image, _, _) => NewImage.UndoAsync(image.Path, () => ProbeAsync(image)),
        (image, _, _) => ProbeAsync(image));

    private static void Write(string partial, long size)
    {
        using var file = DurableFile.OpenNew(partial);
        RandomAccess.SetLength(file, size);
    }

    private static Task<StepOutcome> ProbeAsync(RawArguments image) => Task.Run(() =>
        !File.Exists(image.Path) ? StepOutcome.NotDone
        : Images.RawImage.IsHole(image.Path, image.SizeBytes) ? StepOutcome.Done
        : StepOutcome.Unknown);
}
