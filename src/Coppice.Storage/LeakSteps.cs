using Coppice.Core;
using Coppice.Files;
using ImageFormat = Coppice.Core.ImageFormat;

namespace Coppice.Storage;

/// <summary>Examines the tables of images that nobody writes to, and gives back clusters that nothing uses.</summary>
internal sealed class LeakSteps(QemuImg qemuImg)
{
    public const string RepairKind = "storage.repair-leaks";

    public static Step Repair(Layer image) => Step.Of(
        RepairKind, $"give back the clusters of {image.Path} that nothing uses", StepUndo.None, new LeakArguments(image.Path),
        StorageJson.Default.LeakArguments) with
    {
        Files = [new FileChange(FileEffect.Change, image.Path, default)],
    };

    public StepKind Kind => new StepKind<LeakArguments>(
        StorageJson.Default.LeakArguments, (image, _, cancellation) => RepairAsync(image.Path, cancellation), Undo: null, Probe: null);

    /// <summary>The bytes of a raw image are the disk's, and have no tables.</summary>
    public Task<ImageHealth> ExamineAsync(Layer image, CancellationToken cancellation) => image.Format is ImageFormat.Qcow2
        ? qemuImg.ExamineAsync(image.Path, cancellation)
        : Task.FromResult(ImageHealth.Sound);

    /// <summary>Nothing is lost if it is not done, so what stands against it by now is told and not tried again.</summary>
    private async Task<StepReport> RepairAsync(string path, CancellationToken cancellation)
    {
        if (FileSystem.Look(path) is not { } file)
        {
            return StepReport.Nothing;
        }

        if (file.Links > 1)
        {
            return Left(path, "it has other names by now, and is shared");
        }

        try
        {
            return await KeptTime.WhileAsync(path, async () =>
            {
                await qemuImg.RepairLeaksAsync(path, cancellation).ConfigureAwait(false);
                DurableFile.Flush(path);
            }).ConfigureAwait(false);
        }
        catch (CoppiceException e)
        {
            return Left(path, e.Problem);
        }
    }

    private static StepReport Left(string path, string why) => new() { Warning = $"image {path} was left as it is: {why}" };
}
