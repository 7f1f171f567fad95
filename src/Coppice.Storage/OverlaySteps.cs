using Coppice.Core;

namespace Coppice.Storage;

/// <summary>Makes empty overlays.</summary>
internal sealed class OverlaySteps(QemuImg qemuImg)
{
    public const string CreateKind = "storage.create-overlay";

    // What qemu-img writes for an empty image: header, refcounts and an L1 table.
    private static readonly ByteCount s_emptyImage = new(200 * 1024);

    public static Step Create(Layer overlay, Layer backing)
    {
        var arguments = new OverlayArguments(
            overlay.Path, NewImage.BackingName(overlay.Path, backing.Path), backing.Format, overlay.VirtualSize.Bytes);
        var summary = $"create an empty layer for {overlay.Disk} on {backing.Path}";
        return Step.Of(CreateKind, summary, StepUndo.UnlessSwitched, arguments, StorageJson.Default.OverlayArguments) with
        {
            Files = [new FileChange(FileEffect.Create, overlay.Path, s_emptyImage)],
        };
    }

    public StepKind Kind => new StepKind<OverlayArguments>(
        StorageJson.Default.OverlayArguments,
        async (overlay, _, cancellation) =>
        {
            await NewImage.MakeAsync(overlay.Path, partial => qemuImg.CreateOverlayAsync(partial, overlay, cancellation)).ConfigureAwait(false);
            return StepReport.Nothing;
        },
        (overlay, _, _) => NewImage.UndoAsync(overlay.Path, IsEmpty(overlay)),
        (overlay, _, _) => NewImage.ProbeAsync(overlay.Path, IsEmpty(overlay)));

    private static Func<Images.Qcow2Image, bool> IsEmpty(OverlayArguments overlay) =>
        image => image.Header.BackingName == overlay.BackingName && !image.HasAllocatedData();
}
