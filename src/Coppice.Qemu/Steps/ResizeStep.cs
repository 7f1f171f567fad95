using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>Makes the disk of a running process larger.</summary>
internal sealed class ResizeStep(TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(ResizeArguments resize, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await Machine.ConnectAsync(
            RunFolder.Of(context.Folder.Home, resize.Process), time, cancellation) ?? throw Standstill.Gone(resize.Process);
        if (resize.Layer.Type is not StorageType.Block && IsDone(resize))
        {
            // QEMU would make it smaller without asking. A device it makes no smaller: it only looks how large that is by now.
            return StepReport.Nothing;
        }

        // A guest that was saved and stands still has let go of its images.
        await machine.ReawakenAsync(cancellation);
        await machine.Qmp.ExecuteAsync(
            "block_resize",
            new JsonObject { ["node-name"] = BlockNodes.NameOf(resize.Layer.Id), ["size"] = resize.Size.Bytes }, cancellation);
        await Task.Run(() => DurableFile.Flush(resize.Layer.Path), CancellationToken.None);
        return new StepReport { Mechanism = "block_resize" };
    }

    public static Task<StepOutcome> ProbeAsync(ResizeArguments resize, StepContext context, CancellationToken cancellation) => Task.Run(
        () =>
        {
            if (!IsDone(resize))
            {
                return StepOutcome.NotDone;
            }

            DurableFile.Flush(resize.Layer.Path);
            return StepOutcome.Done;
        },
        cancellation);

    // Only the host makes devices larger, and has done so before.
    private static bool IsDone(ResizeArguments resize) => resize.Layer.Type is StorageType.Block || VirtualSize.Reaches(
        resize.Layer.Path, resize.Layer.Format is Core.ImageFormat.Qcow2 ? Images.ImageFormat.Qcow2 : Images.ImageFormat.Raw,
        resize.Size.Bytes);
}
