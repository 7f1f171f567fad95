using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// An image that a step makes. It is written under a temporary name and gets its own with one rename, so whatever has the
/// final name is complete.
/// </summary>
internal static class NewImage
{
    /// <summary>Makes it; <paramref name="write"/> is given the temporary name.</summary>
    /// <exception cref="CoppiceException">The name is taken (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    public static async Task MakeAsync(string path, Func<string, Task> write)
    {
        var folder = Path.GetDirectoryName(path)!;
        var partial = Partial(path);
        DurableFolder.Create(folder);
        DurableFile.Remove(partial);
        await write(partial).ConfigureAwait(false);
        File.SetUnixFileMode(partial, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        DurableFile.Flush(partial);
        MoveInto(partial, path);
        DurableFolder.Flush(folder);
    }

    /// <summary>
    /// Removes it. A file of that name that <paramref name="isOurs"/> does not know is somebody else's, and stays.
    /// </summary>
    public static Task UndoAsync(string path, Func<Qcow2Image, bool> isOurs) => UndoAsync(path, () => ProbeAsync(path, isOurs));

    /// <summary>
    /// Removes it, and what a killed manager has begun; a file that <paramref name="probe"/> does not call done stays.
    /// </summary>
    public static async Task UndoAsync(string path, Func<Task<StepOutcome>> probe)
    {
        DurableFile.Remove(Partial(path));
        if (await probe().ConfigureAwait(false) is StepOutcome.Done)
        {
            DurableFile.Remove(path);
        }

        OverlayPlacement.RemoveFolders(path);
    }

    /// <summary>Whether it is there, and the one that was to be made.</summary>
    public static Task<StepOutcome> ProbeAsync(string path, Func<Qcow2Image, bool> isOurs) => Task.Run(() => Probe(path, isOurs));

    private static StepOutcome Probe(string path, Func<Qcow2Image, bool> isOurs)
    {
        if (!File.Exists(path))
        {
            return StepOutcome.NotDone;
        }

        try
        {
            using var image = Qcow2Image.Open(path);
            return isOurs(image) ? StepOutcome.Done : StepOutcome.Unknown;
        }
        catch (ImageException)
        {
            return StepOutcome.Unknown;
        }
    }

    private static string Partial(string path) => path + ".partial";

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
