using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu;

/// <summary>What QEMU's events mean to whoever watches a guest. Most mean nothing.</summary>
internal sealed class EventTranslation(QmpConnection qmp)
{
    // A job is told to pause whenever the graph is looked at, and to go on: that is nothing new.
    private readonly Dictionary<ShortId, MergeState> _jobs = [];

    /// <summary>What an event means; null if nothing.</summary>
    public async Task<GuestEvent?> OfAsync(QmpEvent told, CancellationToken cancellation) => told.Name switch
    {
        "RESET" => new GuestEvent(GuestEventKind.Reset) { ByGuest = told.Data.IsTrue("guest") },
        "SHUTDOWN" => new GuestEvent(GuestEventKind.PoweredOff) { ByGuest = told.Data.IsTrue("guest") },
        "STOP" => new GuestEvent(GuestEventKind.Stopped),
        "RESUME" => new GuestEvent(GuestEventKind.Resumed),
        "SUSPEND" => new GuestEvent(GuestEventKind.Suspended),
        "WAKEUP" => new GuestEvent(GuestEventKind.WokenUp),
        "GUEST_PANICKED" or "GUEST_CRASHLOADED" => new GuestEvent(GuestEventKind.Panicked),
        "BLOCK_IO_ERROR" => new GuestEvent(GuestEventKind.DiskFailed) { Failure = await FailureAsync(told, cancellation) },
        "JOB_STATUS_CHANGE" => Job(told.Text("id"), StateOf(told.Text("status"))),
        "BLOCK_JOB_ERROR" => Job(told.Text("device"), MergeState.Failed),
        _ => null,
    };

    private static MergeState? StateOf(string status) => status switch
    {
        "created" or "running" => MergeState.Running,
        "ready" or "pending" => MergeState.Ready,
        "aborting" => MergeState.Failed,
        "null" => MergeState.Gone,
        _ => null,
    };

    private GuestEvent? Job(string name, MergeState? state)
    {
        if (state is not { } now || MergeJobs.JobOf(name) is not { } job || (_jobs.TryGetValue(job, out var before) && before == now))
        {
            return null;
        }

        _jobs[job] = now;
        if (now is MergeState.Gone)
        {
            _jobs.Remove(job);
        }

        return new GuestEvent(GuestEventKind.JobChanged) { Job = new JobChange(job, now) };
    }

    private async Task<DiskFailure> FailureAsync(QmpEvent told, CancellationToken cancellation) => new(
        Machine.TargetOf(told.Text("qom-path")) ?? await TargetAsync(told.Text("node-name"), cancellation),
        told.Text("operation") is "write",
        told.Text("action") switch { "stop" => FailureAction.Stopped, "ignore" => FailureAction.Ignored, _ => FailureAction.Reported },
        told.Data.IsTrue("nospace"));

    /// <summary>The disk that uses a node: QEMU 7.2 tells no more.</summary>
    private async Task<string?> TargetAsync(string node, CancellationToken cancellation)
    {
        try
        {
            var devices = await qmp.ExecuteAsync("query-blockstats", new JsonObject { ["query-nodes"] = false }, cancellation);
            var found = devices.Items().FirstOrDefault(d => node.Length > 0 && d.TextOrEmpty("node-name") == node);
            return Machine.TargetOf(found.TextOrEmpty("qdev"));
        }
        catch (Exception e) when (e is QmpRefusalException or CoppiceException)
        {
            // It has ended; that is told next.
            return null;
        }
    }
}
