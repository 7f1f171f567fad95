using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Storage;

/// <summary>
/// Copies files and images whole: between a domain and a folder that is exported or imported. A copy has its name once it is complete,
/// checked and durable; its source is never written.
/// </summary>
internal sealed class CopySteps(QemuImg qemuImg)
{
    public const string FileKind = "storage.copy-file", ImageKind = "storage.copy-image";

    public static Step Copy(FileToCopy file) => Step.Of(
        FileKind, $"copy {file.Source} to {file.Path}", StepUndo.Exact, file, StorageJson.Default.FileToCopy) with
    {
        Files = [new FileChange(FileEffect.Create, file.Path, file.Estimate)],
    };

    public static Step Copy(ImageToCopy image) => Step.Of(
        ImageKind, $"copy {image.File.Source} to {image.File.Path}", StepUndo.Exact, image, StorageJson.Default.ImageToCopy) with
    {
        Files = [new FileChange(FileEffect.Create, image.File.Path, image.File.Estimate)],
    };

    public static StepKind FileStep => new StepKind<FileToCopy>(
        StorageJson.Default.FileToCopy,
        (file, context, cancellation) => CopyAsync(file, StorageType.File, _ => Task.CompletedTask, context, cancellation),
        (file, context, _) => Undo(file, context),
        (file, _, _) => Probe(file));

    public StepKind ImageStep => new StepKind<ImageToCopy>(
        StorageJson.Default.ImageToCopy,
        CopyAsync,
        (image, context, _) => Undo(image.File, context),
        (image, _, _) => Probe(image.File));

    private async Task<StepReport> CopyAsync(ImageToCopy image, StepContext context, CancellationToken cancellation)
    {
        var report = await CopyAsync(
            image.File, image.Type, partial => image.IsRelinked ? RelinkAsync(image, partial, cancellation) : Task.CompletedTask,
            context, cancellation).ConfigureAwait(false);
        CheckedChain.Require($"disk '{image.Chain[0].Disk}'", [.. image.Chain.Select(ImageArguments.Of)]);
        RequireSize(image);
        return report;
    }

    private static async Task<StepReport> CopyAsync(
        FileToCopy file, StorageType type, Func<string, Task> finish, StepContext context, CancellationToken cancellation)
    {
        CopiedFile? copied = null;
        await NewImage.MakeAsync(file.Path, async partial =>
        {
            copied = await Task.Run(() => Copy(file, type, partial, context, cancellation), cancellation).ConfigureAwait(false);
            await RequireSumAsync(file, partial, cancellation).ConfigureAwait(false);
            await finish(partial).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return new StepReport
        {
            Mechanism = copied!.IsClone ? "cloned by the file system" : "copied", Written = new ByteCount(copied.WrittenBytes),
        };
    }

    private static CopiedFile Copy(FileToCopy file, StorageType type, string partial, StepContext context, CancellationToken cancellation)
    {
        using var source = Open(file, type);
        var before = FileSystem.Look(file.Source);
        var total = new ByteCount(FileCopy.LengthOf(source));
        try
        {
            var copied = FileCopy.Copy(source, partial, done => context.Progress.Report(new StepProgress(new ByteCount(done), total)), cancellation);
            return before?.ModifiedAt == FileSystem.Look(file.Source)?.ModifiedAt ? copied : throw new CoppiceException(
                ErrorKind.WrongState, file.Source, "was written while it was copied", "end the program that writes it, then try again");
        }
        catch (FileException e) when (e.IsFull)
        {
            var written = FileSystem.Look(partial)?.AllocatedBytes ?? 0;
            var free = new ByteCount(DurableFolder.FreeBytes(Path.GetDirectoryName(partial)!) + written);
            var needed = new ByteCount(before?.AllocatedBytes ?? total.Bytes);
            throw new CoppiceException(
                ErrorKind.Storage, file.Path, $"no space is left on the file system: the copy takes up to {needed}, and {free} were free",
                "free some space and try again", e);
        }
    }

    private static SafeFileHandle Open(FileToCopy file, StorageType type)
    {
        if (file.Within is { } folder)
        {
            return PlainFiles.Open(folder, Path.GetRelativePath(folder, file.Source));
        }

        return ImageErrors.Guard("copy", () =>
        {
            using var pinned = type is StorageType.Block ? PinnedFile.OpenDevice(file.Source) : PinnedFile.Open(file.Source);
            return pinned.OpenHandle();
        });
    }

    private static async Task RequireSumAsync(FileToCopy file, string partial, CancellationToken cancellation)
    {
        if (file.Sha256 is { } expected && await Digests.OfFileAsync(partial, cancellation).ConfigureAwait(false) != expected)
        {
            throw new CoppiceException(
                ErrorKind.Damaged, file.Source, "is not what its checksum is of", "copy the folder anew from where it was exported");
        }
    }

    /// <summary>The copy names what it builds on relatively, under the name that that has beside it.</summary>
    private async Task RelinkAsync(ImageToCopy image, string partial, CancellationToken cancellation)
    {
        ImageErrors.Guard($"disk '{image.Chain[0].Disk}'", () => RequireOpenable(partial));
        var (copy, below) = (image.Chain[0], image.Chain[1]);
        await qemuImg.RelinkAsync(
            partial, new BackingArguments(below.Path, LayerFileName.BackingName(copy.Path, below.Path), below.Format), cancellation)
            .ConfigureAwait(false);
    }

    /// <summary>QEMU opens what a header leads to, other than what it builds on, without being asked.</summary>
    private static bool RequireOpenable(string path)
    {
        using var image = Qcow2Image.Open(path);
        _ = image.ReadSnapshots();
        return image.Header.Encryption is Qcow2Encryption.None ? true : throw new CoppiceException(
            ErrorKind.Forbidden, path, $"is encrypted ({image.Header.Encryption})", "convert it with qemu-img to an image that is not");
    }

    private static void RequireSize(ImageToCopy image)
    {
        var layer = image.Chain[0];
        var size = ImageErrors.Guard($"disk '{layer.Disk}'", () => VirtualSize.Of(layer.Path, layer.Format.ToImages()));
        if (size != layer.VirtualSize.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.Damaged, image.File.Source, $"holds a disk of {size} bytes, and is recorded with {layer.VirtualSize.Bytes}",
                "export the domain again, or copy the folder anew");
        }
    }

    private static Task Undo(FileToCopy file, StepContext context) => OutsidePlace.Undo(file.Path, context, () =>
    {
        // The name follows from an id that nothing else has.
        DurableFile.Remove(file.Path + ".partial");
        DurableFile.Remove(file.Path);
    });

    private static Task<StepOutcome> Probe(FileToCopy file) =>
        Task.FromResult(File.Exists(file.Path) ? StepOutcome.Done : StepOutcome.NotDone);
}
