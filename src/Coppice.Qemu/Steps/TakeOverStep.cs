using System.Runtime.ExceptionServices;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Puts a process behind the domain's sockets and ports and lets its guest go on. The links are replaced first, so that
/// whoever connects afterwards finds the new one. Then come tap devices that the process before it had: what it sends when it
/// goes on, QEMU's own announcement of its card among it, is heard. Ports follow once the guest runs, since they can fail.
/// <para>
/// A guest is let go on once. The step may be repeated by a later command, and by then somebody may have paused the guest;
/// QEMU calls that "paused" just as it calls a guest whose memory was loaded, so the run folder remembers.
/// </para>
/// </summary>
internal sealed class TakeOverStep(GuardPost guards, HostTaps taps, TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(TakeOverArguments takeOver, StepContext context, CancellationToken cancellation)
    {
        var parts = new Stopwatches(time);
        var folder = RunFolder.Of(context.Folder.Home, takeOver.Process);
        await using var machine = await Machine.ConnectAsync(folder, time, cancellation);
        if (machine is null)
        {
            // It ended after it had been committed, as any guest may: there is nothing to reach.
            await guards.DisarmAsync(context, cancellation);
            return StepReport.Nothing;
        }

        var failures = new List<string>();
        var obstacle = LinkAll(takeOver, folder, context);
        var unplugged = await PlugAllAsync(machine, takeOver, parts, cancellation);
        obstacle ??= unplugged;
        TimeSpan? wentOn = null;
        if (takeOver.Run && !File.Exists(folder.WentOn))
        {
            await parts.TimeAsync("cont", machine.ResumeAsync);
            wentOn = parts.Elapsed;
            if (Obstacle(() => NoteWentOn(folder)) is { } unnoted)
            {
                // Repeated, the step would let a guest run that somebody has paused: so nothing may fail any more.
                ExceptionDispatchInfo[] both = obstacle is null ? [unnoted] : [unnoted, obstacle];
                failures.AddRange(both.Select(o => ReasonOf(o.SourceException)));
                obstacle = null;
            }
        }

        await guards.DisarmAsync(context, cancellation);
        await OfferAsync(machine, takeOver, failures, cancellation);
        obstacle?.Throw();
        return new StepReport
        {
            Mechanism = failures.Count == 0 ? null : string.Join(", ", failures),
            WentOnAfter = wentOn,
            Timings = parts.Timings,
        };
    }

    /// <summary>
    /// Connects the tap devices that it has not yet, as many as can be had: none of them is worth a guest that stands still. One
    /// that is taken is free once whoever has it ends, so the step is worth repeating.
    /// </summary>
    /// <returns>Why one of them could not be had; null if all were.</returns>
    private async Task<ExceptionDispatchInfo?> PlugAllAsync(
        Machine machine, TakeOverArguments takeOver, Stopwatches parts, CancellationToken cancellation)
    {
        ExceptionDispatchInfo? obstacle = null;
        foreach (var plug in takeOver.Taps)
        {
            try
            {
                if (!await TapWiring.IsPluggedAsync(machine, plug, cancellation))
                {
                    await parts.TimeAsync($"plug {plug.Device}", async () =>
                    {
                        await TapWiring.ClearAsync(machine, plug, cancellation);
                        using var tap = await taps.OpenAsync(plug, cancellation);
                        await TapWiring.PlugAsync(machine, plug, tap, cancellation);
                    });
                }
            }
            catch (Exception e) when (e is QmpRefusalException or CoppiceException or IOException)
            {
                obstacle ??= ExceptionDispatchInfo.Capture(e);
            }
        }

        return obstacle;
    }

    // Neither note is flushed, since the guest may be waiting. A loss of power ends the process as well, and leaves links that
    // the next start replaces.
    private static void NoteWentOn(RunFolder folder) => File.WriteAllBytes(folder.WentOn, []);

    private static void NoteLinks(TakeOverArguments takeOver, RunFolder folder)
    {
        var elsewhere = takeOver.Links.Keys.Where(Path.IsPathRooted).ToArray();
        if (elsewhere.Length > 0)
        {
            File.WriteAllText(folder.Links, string.Join('\0', elsewhere));
        }
    }

    /// <summary>Makes the links, as many as can be made: none of them is worth a guest that stands still.</summary>
    /// <returns>Why one of them could not be made; null if all were.</returns>
    private static ExceptionDispatchInfo? LinkAll(TakeOverArguments takeOver, RunFolder folder, StepContext context)
    {
        var obstacle = Obstacle(() => NoteLinks(takeOver, folder));
        var folderless = Obstacle(() => DurableFolder.Create(context.Folder.Endpoints));
        obstacle ??= folderless;
        foreach (var (path, socket) in takeOver.Links)
        {
            var failure = Obstacle(() => Link(Path.Combine(context.Folder.Endpoints, path), folder.Socket(socket), context));
            obstacle ??= failure;
        }

        return obstacle;
    }

    private static ExceptionDispatchInfo? Obstacle(Action act)
    {
        try
        {
            act();
            return null;
        }
        catch (Exception e) when (e is CoppiceException or IOException or UnauthorizedAccessException)
        {
            return ExceptionDispatchInfo.Capture(e);
        }
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
    /// Opens the ports. One that cannot be opened is told rather than thrown: it may be taken for good, and a step that failed
    /// would be repeated by every command from then on.
    /// </summary>
    private static async Task OfferAsync(
        Machine machine, TakeOverArguments takeOver, List<string> failures, CancellationToken cancellation)
    {
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
