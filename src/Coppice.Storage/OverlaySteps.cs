using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>Makes empty overlays, and uses those that somebody made beforehand.</summary>
internal sealed class OverlaySteps(QemuImg qemuImg)
{
    public const string CreateKind = "storage.create-overlay", AdoptKind = "storage.adopt-overlay", RemoveKind = "storage.remove-unwritten";

    // An empty image: header, refcounts and an L1 table.
    private static readonly ByteCount s_emptyImage = new(200 * 1024);

    public static Step Create(Layer overlay, Layer backing)
    {
        var arguments = new OverlayArguments(
            overlay.Path, LayerFileName.BackingName(overlay.Path, backing.Path), backing.Format, overlay.VirtualSize.Bytes);
        return Create(arguments, $"create an empty layer for {overlay.Disk} on {backing.Path}");
    }

    public static Step CreateAlone(Layer image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return Create(
            new OverlayArguments(image.Path, BackingName: null, default, image.VirtualSize.Bytes), $"create an empty image for {image.Disk}");
    }

    public static Step Adopt(Layer overlay, ImmutableArray<Layer> below) => Step.Of(
        AdoptKind, $"use {overlay.Path}, made beforehand, for {overlay.Disk} on {below[0].Path}", StepUndo.Exact,
        new AdoptArguments(
            [.. below.Insert(0, overlay).Select(ImageArguments.Of)], overlay.VirtualSize.Bytes),
        StorageJson.Default.AdoptArguments) with
    {
        Files = [new FileChange(FileEffect.Change, overlay.Path, default)],
    };

    public static Step RemoveUnwritten(Layer overlay)
    {
        ArgumentNullException.ThrowIfNull(overlay);
        return Step.Of(
            RemoveKind, $"remove {overlay.Path} unless it was written to", StepUndo.None, new RemoveArguments(overlay.Path),
            StorageJson.Default.RemoveArguments) with
        {
            Files = [new FileChange(FileEffect.Delete, overlay.Path, s_emptyImage)],
        };
    }

    public static StepKind RemoveStep => new StepKind<RemoveArguments>(
        StorageJson.Default.RemoveArguments,
        (overlay, _, _) => Task.FromResult(ImageErrors.Guard($"layer {overlay.Path}", () => RemoveUnwritten(overlay))),
        Undo: null, Probe: null);

    /// <summary>Somebody may have written to the file since it was observed. Nothing is made, so nothing is taken back.</summary>
    public StepKind AdoptStep => new StepKind<AdoptArguments>(
        StorageJson.Default.AdoptArguments, AdoptAsync, Undo: null, Probe: null);

    public static StepKind CreateStep => new StepKind<OverlayArguments>(
        StorageJson.Default.OverlayArguments,
        async (overlay, _, cancellation) =>
        {
            await NewImage.MakeAsync(overlay.Path, partial => Task.Run(() => Write(partial, overlay), cancellation)).ConfigureAwait(false);
            return StepReport.Nothing;
        },
        (overlay, _, _) => NewImage.UndoAsync(overlay.Path, IsEmpty(overlay)),
        (overlay, _, _) => NewImage.ProbeAsync(overlay.Path, IsEmpty(overlay)));

    /// <summary>Writes an empty image under a temporary name. What it builds on is named, and not opened.</summary>
    public static void Write(string partial, OverlayArguments overlay)
    {
        var image = new Images.EmptyQcow2(overlay.VirtualSizeBytes)
        {
            BackingName = overlay.BackingName, BackingFormat = overlay.BackingFormat.ToImages(),
        };
        byte[] bytes;
        try
        {
            bytes = image.ToBytes();
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, overlay.Path, $"cannot be a layer of a disk of {new ByteCount(overlay.VirtualSizeBytes)} on '{overlay.BackingName}'",
                "qcow2 images of Coppice hold at most 64 TiB, and name at most 1023 bytes", e);
        }

        using var file = DurableFile.OpenNew(partial);
        DurableFile.WriteAt(file, partial, bytes, 0);
    }

    private static Step Create(OverlayArguments overlay, string summary) =>
        Step.Of(CreateKind, summary, StepUndo.UnlessSwitched, overlay, StorageJson.Default.OverlayArguments) with
        {
            Files = [new FileChange(FileEffect.Create, overlay.Path, s_emptyImage)],
        };

    private static Func<Images.Qcow2Image, bool> IsEmpty(OverlayArguments overlay) =>
        image => image.Header.BackingName == overlay.BackingName && !image.HasAllocatedData();

    private async Task<StepReport> AdoptAsync(AdoptArguments overlay, StepContext context, CancellationToken cancellation)
    {
        var path = overlay.Chain[0].Path;
        var subject = $"overlay {path}, made beforehand";
        CheckedChain.Require(subject, overlay.Chain);
        if (!ImageErrors.Guard(subject, () => IsAsPlanned(path, overlay.VirtualSizeBytes)))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, "was written to, or got another size, since it was looked at", "make a new one");
        }

        await qemuImg.RequireFreeAsync(path, cancellation).ConfigureAwait(false);
        DurableFile.Flush(path);
        DurableFolder.Flush(Path.GetDirectoryName(path)!);
        return StepReport.Nothing;
    }

    private static StepReport RemoveUnwritten(RemoveArguments overlay)
    {
        if (File.Exists(overlay.Path))
        {
            using var image = Images.Qcow2Image.Open(overlay.Path);
            if (image.HasBeenWritten())
            {
                return new StepReport
                {
                    Warning = $"the guest wrote to its disk while it let go of it: {overlay.Path} stays, and is no longer known",
                };
            }
        }

        FileSteps.Remove(overlay);
        return StepReport.Nothing;
    }

    private static bool IsAsPlanned(string path, long size)
    {
        using var image = Images.Qcow2Image.Open(path);
        return image.Header.VirtualSizeBytes == size && image.Header.SnapshotCount == 0 && !image.HasAllocatedData();
    }
}
