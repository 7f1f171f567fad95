using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

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
            Link(Path.Combine(context.Folder.Endpoints, path), folder.Socket(socket), context);
        }

        var parts = new Stopwatches(time);
        if (takeOver.Run)
        {
            await parts.TimeAsync("cont", machine.ResumeAsync);
        }

        await guards.DisarmAsync(context, cancellation);
        var failures = await OfferAsync(machine, takeOver, cancellation);
        return new StepReport { Mechanism = failures is "" ? null : failures, Timings = parts.Timings };
    }

    private static void Link(string path, string target, StepContext context)
    {
        var found = new FileInfo(path);
        var runs = context.Folder.Home.Path + "/run/";
        var ours = found.LinkTarget is { } old && old.StartsWith(runs, StringComparison.Ordinal);
        if (!ours && (found.LinkTarget is not null || Path.Exists(path)))
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, $"file {path}", "is in the way of a socket's link", "remove it or name another path");
        }

        var temporary = $"{path}.{context.Operation}.new";
        File.Delete(temporary);
        File.CreateSymbolicLink(temporary, target);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>
    /// Opens the ports. One that cannot be opened is told rather than thrown: the guest runs already, and a step that failed
    /// would be repeated later, and let a guest go on that was paused meanwhile.
    /// </summary>
    /// <returns>What could not be opened; empty if everything was.</returns>
    private static async Task<string> OfferAsync(Machine machine, TakeOverArguments takeOver, CancellationToken cancellation)
    {
        var failures = new List<string>();
        try
        {
            await OfferScreenAsync(machine, takeOver, cancellation);
        }
        catch (Exception e) when (e is QmpRefusalException or CoppiceException)
        {
            var ports = string.Join(", ", takeOver.Screens.Select(s => $"{s.Host}:{s.Port}"));
            failures.Add($"VNC {ports} not opened ({ReasonOf(e)})");
        }

        foreach (var forward in takeOver.Forwards)
        {
            try
            {
                await ForwardAsync(machine, forward, cancellation);
            }
            catch (Exception e) when (e is QmpRefusalException or CoppiceException)
            {
                failures.Add($"port forward {forward.Host} not opened ({ReasonOf(e)})");
            }
        }

        return string.Join(", ", failures);
    }

    private static string ReasonOf(Exception e) => e is QmpRefusalException refusal ? $"QEMU: {refusal.Description}" : e.Message;

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
