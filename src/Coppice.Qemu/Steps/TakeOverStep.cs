using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Puts a process behind the domain's sockets and ports and lets its guest go on. The links are replaced first, so that
/// whoever connects afterwards finds the new one; ports follow once the guest runs, since they can fail.
/// </summary>
internal sealed class TakeOverStep(GuardPost guards, TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(TakeOverArguments takeOver, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, takeOver.Process);
        await using var machine = await Machine.ConnectAsync(folder, time, cancellation);
        if (machine is null)
        {
            // It ended after it had been committed, as any guest may: there is nothing to reach.
            await guards.DisarmAsync(context, cancellation);
            return StepReport.Nothing;
        }

        DurableFolder.Create(context.Folder.Endpoints);
        foreach (var (path, socket) in takeOver.Links)
        {
            Link(Path.Combine(context.Folder.Endpoints, path), folder.Socket(socket));
        }

        var parts = new Stopwatches(time);
        if (takeOver.Run)
        {
            await parts.TimeAsync("cont", machine.ResumeAsync);
        }

        await guards.DisarmAsync(context, cancellation);
        await OfferScreenAsync(machine, takeOver, cancellation);
        foreach (var forward in takeOver.Forwards)
        {
            await ForwardAsync(machine, forward, cancellation);
        }

        return new StepReport { Timings = parts.Timings };
    }

    private static void Link(string path, string target)
    {
        var found = new FileInfo(path);
        if (found.Exists && found.LinkTarget is null)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"file {path}", "is in the way of a socket's link", "remove it or name another path");
        }

        var temporary = path + ".new";
        File.Delete(temporary);
        File.CreateSymbolicLink(temporary, target);
        File.Move(temporary, path, overwrite: true);
    }

    private static Task OfferScreenAsync(Machine machine, TakeOverArguments takeOver, CancellationToken cancellation)
    {
        if (takeOver.Screens.IsEmpty)
        {
            return Task.CompletedTask;
        }

        var addresses = takeOver.Screens.Select(JsonNode (s) => new JsonObject
        {
            ["type"] = "inet",
            ["host"] = s.Host,
            ["port"] = s.Port.ToString(System.Globalization.CultureInfo.InvariantCulture),
        });
        var own = new JsonObject { ["type"] = "unix", ["path"] = Endpoints.Screen };
        return machine.Qmp.ExecuteAsync(
            "display-update",
            new JsonObject { ["type"] = "vnc", ["addresses"] = new JsonArray([own, .. addresses]) },
            cancellation);
    }

    private static async Task ForwardAsync(Machine machine, HostForward forward, CancellationToken cancellation)
    {
        // The step may be repeated, and QEMU refuses a forward that it has already.
        await MonitorAsync(machine, $"hostfwd_remove {forward.Backend} {forward.Host}", cancellation);
        var answer = await MonitorAsync(machine, $"hostfwd_add {forward.Backend} {forward.Host}-:{forward.Guest}", cancellation);
        if (answer.Length > 0)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, $"port forward {forward.Host}", $"cannot be set up (QEMU: {answer.Trim()})",
                "free the port, then stop and start the domain, or change the forward");
        }
    }

    private static async Task<string> MonitorAsync(Machine machine, string line, CancellationToken cancellation)
    {
        var answer = await machine.Qmp.ExecuteAsync(
            "human-monitor-command", new JsonObject { ["command-line"] = line }, cancellation);
        return answer.GetString() ?? "";
    }
}
