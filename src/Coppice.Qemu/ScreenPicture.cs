using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu;

/// <summary>Has QEMU draw a screen into a file, by the monitor for readers.</summary>
internal sealed class ScreenPicture(TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>See <see cref="IHypervisor.TakePictureAsync"/>.</summary>
    public async Task TakeAsync(RunFolder folder, DomainDefinition definition, int screen, string path, CancellationToken cancellation)
    {
        var subject = $"domain '{definition.Name}'";
        RequireScreen(definition, screen);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        if (process.Pid is null)
        {
            throw Off(subject);
        }

        try
        {
            await using var qmp = await process.ConnectAsync(folder.Readers, subject, s_limit, cancellation);
            await DrawAsync(qmp, DeviceArguments.VideoCard(screen), path);
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Hypervisor)
        {
            throw await process.EndsAsync(cancellation) ? Off(subject) : e;
        }
    }

    /// <summary>
    /// QEMU opens the file by its name, and would make one that is gone: so it is waited for, whoever has lost patience. Its mode stays
    /// what it is.
    /// </summary>
    private static async Task DrawAsync(QmpConnection qmp, string card, string path)
    {
        DurableFile.OpenNew(path).Dispose();
        try
        {
            await qmp.ExecuteAsync("screendump", new JsonObject { ["filename"] = path, ["device"] = card, ["head"] = 0 }, CancellationToken.None);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    private static void RequireScreen(DomainDefinition definition, int screen)
    {
        var count = definition.Devices.OfType<VideoDevice>().Count(v => v.Model is not VideoModel.None);
        if (screen < 0 || screen >= count)
        {
            throw new CoppiceException(
                ErrorKind.NotFound, $"screen {screen} of domain '{definition.Name}'",
                count == 0 ? "does not exist: its definition has no graphics card" : $"does not exist: it has {count}, from 0",
                count == 0 ? "add a <video> to its definition" : "name another one");
        }
    }

    private static CoppiceException Off(string subject) => new(ErrorKind.WrongState, subject, "is not running", "start it first");
}
