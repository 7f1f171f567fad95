using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>Makes an image larger that nobody uses.</summary>
internal sealed class ResizeSteps(QemuImg qemuImg)
{
    public const string ResizeKind = "storage.resize";

    public static Step Resize(Layer layer, ByteCount size) => Step.Of(
        ResizeKind, $"grow {layer.Path} to {size}", StepUndo.None, new ResizeArguments(layer.Path, layer.Format, size.Bytes),
        StorageJson.Default.ResizeArguments) with
    {
        Files = [new FileChange(FileEffect.Change, layer.Path, default)],
    };

    public StepKind Kind => new StepKind<ResizeArguments>(
        StorageJson.Default.ResizeArguments,
        async (image, _, cancellation) =>
        {
            await qemuImg.ResizeAsync(image, cancellation).ConfigureAwait(false);
            DurableFile.Flush(image.Path);
            return StepReport.Nothing;
        },
        Undo: null,
        (image, _, _) => Task.Run(() =>
        {
            if (!VirtualSize.Reaches(image.Path, image.Format.ToImages(), image.SizeBytes))
            {
                return StepOutcome.NotDone;
            }

            DurableFile.Flush(image.Path);
            return StepOutcome.Done;
        }));
}
