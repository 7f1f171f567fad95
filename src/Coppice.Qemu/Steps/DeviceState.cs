using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>
/// What the devices of a standing guest keep, without its RAM. <c>snapshot-save</c> puts it into a small image that is there for nothing
/// else. Unlike <c>migrate</c> it leaves the guest's own images as they are, so that the guest goes on at once however deep their chains
/// are, and can be saved again at any time. Inside is a migration stream like any other.
/// </summary>
internal sealed class DeviceState(Machine machine, RunFolder folder, StepContext context)
{
    private const string Tag = "devices";

    // Its own disk holds nothing.
    private static readonly EmptyQcow2 s_blank = new(512);

    private string Node => $"s-{context.Operation}";

    private string Job => $"coppice-devices-{context.Operation}";

    private string ImagePath => folder.DeviceState(context.Operation);

    /// <summary>Makes the image, while the guest runs.</summary>
    public async Task PrepareAsync(CancellationToken cancellation)
    {
        await RemoveAsync(cancellation);
        await machine.ChooseRamAsync(withRam: false, cancellation);

        // Nothing needs it after a loss of power: it is never flushed.
        using (var blank = DurableFile.OpenNew(ImagePath))
        {
            DurableFile.WriteAt(blank, ImagePath, s_blank.ToBytes(), 0);
        }

        var file = new JsonObject { ["driver"] = "file", ["filename"] = ImagePath, ["cache"] = new JsonObject { ["no-flush"] = true } };
        var image = new JsonObject { ["driver"] = "qcow2", ["node-name"] = Node, ["file"] = file, ["cache"] = new JsonObject { ["no-flush"] = true } };
        await machine.Qmp.ExecuteAsync("blockdev-add", image, cancellation);
    }

    /// <summary>Saves it. The guest must stand still.</summary>
    /// <exception cref="CoppiceException">There is no room for it (<see cref="ErrorKind.Storage"/>).</exception>
    public async Task SaveAsync(CancellationToken cancellation)
    {
        try
        {
            var arguments = new JsonObject { ["tag"] = Tag, ["vmstate"] = Node, ["devices"] = new JsonArray(Node) };
            await machine.RunJobAsync("snapshot-save", Job, arguments, cancellation);
        }
        catch (QmpRefusalException e) when (e.Description.Contains(InternalSnapshots.CannotWrite, StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"run folder {folder.Path}", $"has no room for the state of devices (QEMU: {e.Description})",
                "free some space and try again", e);
        }
    }

    /// <summary>Writes what was saved into a file, from some position on, and removes the image.</summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="path">Its path, for errors.</param>
    /// <param name="position">Where what was saved begins.</param>
    /// <param name="cancellation">Ends it; a part is left.</param>
    public async Task MoveToAsync(SafeFileHandle file, string path, long position, CancellationToken cancellation)
    {
        await CloseAsync(cancellation);
        await Task.Run(() => Copy(file, path, position), cancellation);
        DurableFile.Remove(ImagePath);
    }

    /// <summary>Removes what there is of it, whole or half.</summary>
    public async Task RemoveAsync(CancellationToken cancellation)
    {
        await machine.DismissJobAsync(Job, cancellation);
        await CloseAsync(cancellation);
        DurableFile.Remove(ImagePath);
    }

    private async Task CloseAsync(CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync("blockdev-del", new JsonObject { ["node-name"] = Node }, cancellation);
        }
        catch (QmpRefusalException)
        {
            // It was never opened, or is closed already.
        }
    }

    private void Copy(SafeFileHandle file, string path, long position)
    {
        using var image = Qcow2Image.Open(ImagePath);
        using var state = image.OpenMemory(image.ReadSnapshots().Single(s => s.Name == Tag));
        var buffer = new byte[1 << 20];
        while (state.Read(buffer) is > 0 and var count)
        {
            DurableFile.WriteAt(file, path, buffer.AsSpan(0, count), position);
            position += count;
        }
    }
}
