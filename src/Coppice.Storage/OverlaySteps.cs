using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// Makes empty overlays. The image is made under a temporary name and gets its own with one rename, so whatever has the
/// final name is complete.
/// </summary>
internal sealed class OverlaySteps(QemuImg qemuImg)
{
    public const string CreateKind = "storage.create-overlay";

    // What qemu-img writes for an empty image: header, refcounts and an L1 table.
    private static readonly ByteCount s_emptyImage = new(200 * 1024);

    public static Step Create(Layer overlay, Layer backing)
    {
        var arguments = new OverlayArguments(
            overlay.Path, BackingName(overlay.Path, backing.Path), backing.Format, overlay.VirtualSize.Bytes);
        var summary = $"create an empty layer for {overlay.Disk} on {backing.Path}";
        return Step.Of(CreateKind, summary, StepUndo.UnlessSwitched, arguments, StorageJson.Default.OverlayArguments) with
        {
            Files = [new FileChange(FileEffect.Create, overlay.Path, s_emptyImage)],
        };
    }

    public async Task ApplyAsync(OverlayArguments arguments, CancellationToken cancellation)
    {
        var folder = Path.GetDirectoryName(arguments.Path)!;
        var partial = Partial(arguments);
        DurableFolder.Create(folder);
        DurableFile.Remove(partial);
        await qemuImg.CreateOverlayAsync(partial, arguments, cancellation).ConfigureAwait(false);
        File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        DurableFile.Flush(partial);
        MoveInto(partial, arguments.Path);
        DurableFolder.Flush(folder);
    }

    /// <summary>
    /// Removes the overlay. A file of that name that is not an empty overlay on the same backing image is somebody else's,
    /// and stays.
    /// </summary>
    public static void Undo(OverlayArguments arguments)
    {
        DurableFile.Remove(Partial(arguments));
        if (Probe(arguments) is StepOutcome.Done)
        {
            DurableFile.Remove(arguments.Path);
        }

        OverlayPlacement.RemoveFolders(arguments.Path);
    }

    public static StepOutcome Probe(OverlayArguments arguments)
    {
        if (!File.Exists(arguments.Path))
        {
            return StepOutcome.NotDone;
        }

        try
        {
            using var image = Qcow2Image.Open(arguments.Path);
            return image.Header.BackingName == arguments.BackingName && !image.HasAllocatedData() ? StepOutcome.Done : StepOutcome.Unknown;
        }
        catch (ImageException)
        {
            return StepOutcome.Unknown;
        }
    }

    /// <summary>Relative inside one folder, so that the chain stays readable when the folder moves; absolute otherwise.</summary>
    private static string BackingName(string overlay, string backing) =>
        Path.GetDirectoryName(overlay) != Path.GetDirectoryName(backing) ? backing
        : Path.GetFileName(backing) is var name && name.Contains(':', StringComparison.Ordinal) ? backing // else read as a protocol
        : name;

    private static string Partial(OverlayArguments arguments) => arguments.Path + ".partial";

    private static void MoveInto(string partial, string path)
    {
        try
        {
            File.Move(partial, path, overwrite: false);
        }
        catch (IOException e) when (File.Exists(path))
        {
            DurableFile.Remove(partial);
            throw new CoppiceException(
                ErrorKind.AlreadyExists, path, "exists already", "name another file for the new layer", e);
        }
    }
}
