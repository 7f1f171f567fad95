using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.BlockGraph;

/// <summary>
/// Copies of disks as QEMU's jobs. One that is told to end copies what is left and holds the guest's writes back from then on, until it is
/// finalized: in between both images read the same.
/// </summary>
internal static class MirrorJobs
{
    private const long NextToNothing = 16 << 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20), s_interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Begins it. The image that it writes can be written already.</summary>
    /// <exception cref="QmpRefusalException">QEMU does not.</exception>
    public static async Task BeginAsync(QmpConnection qmp, MirrorRequest mirror, DriveMode mode, CancellationToken cancellation)
    {
        if (mirror.Kind is MirrorKind.Commit)
        {
            await MergeJobs.ReopenAsync(qmp, BlockNodes.WritableFile(mirror.Target, mode), cancellation);
            await qmp.ExecuteAsync("block-commit", Commit(mirror), cancellation);
            return;
        }

        await CloseAsync(qmp, mirror.Target, cancellation);
        await qmp.ExecuteAsync("blockdev-add", BlockNodes.Copy(mirror.Target, mode), cancellation);
        try
        {
            await qmp.ExecuteAsync("blockdev-mirror", Copy(mirror), cancellation);
        }
        catch (QmpRefusalException)
        {
            await CloseAsync(qmp, mirror.Target, CancellationToken.None);
            throw;
        }
    }

    /// <summary>Waits, at full speed, until next to nothing is left to copy: from then on the guest would wait for the rest.</summary>
    /// <returns>Whether that came about in a reasonable time.</returns>
    public static async Task<bool> CatchUpAsync(QmpConnection qmp, ShortId job, TimeProvider time, CancellationToken cancellation)
    {
        try
        {
            await qmp.ExecuteAsync("block-job-set-speed", new JsonObject { ["device"] = MergeJobs.NameOf(job), ["speed"] = 0 }, cancellation);
        }
        catch (QmpRefusalException)
        {
            // It was told to end already.
        }

        for (var start = time.GetTimestamp(); time.GetElapsedTime(start) < s_patience; await Task.Delay(s_interval, time, cancellation))
        {
            var found = await MergeJobs.ObserveAsync(qmp, job, cancellation);
            if (found.State is not MergeState.Ready || found.Total.Bytes - found.Done.Bytes <= NextToNothing)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Has it copy what is left, and waits for that. The guest's writes wait from then on.</summary>
    /// <exception cref="QmpRefusalException">That failed, or the guest writes faster.</exception>
    public static Task SettleAsync(QmpConnection qmp, MirrorRequest mirror, MirrorEnd end, TimeProvider time)
    {
        var name = MergeJobs.NameOf(mirror.Job);
        return end is MirrorEnd.Pivot
            ? MergeJobs.SettleAsync(qmp, mirror.Job, "job-complete", new JsonObject { ["id"] = name }, s_patience, time, CancellationToken.None)
            : MergeJobs.SettleAsync(
                qmp, mirror.Job, "block-job-cancel", new JsonObject { ["device"] = name, ["force"] = false }, s_patience, time, CancellationToken.None);
    }

    /// <summary>Closes a layer that nothing uses any more.</summary>
    public static async Task CloseAsync(QmpConnection qmp, Layer layer, CancellationToken cancellation)
    {
        try
        {
            await qmp.ExecuteAsync("blockdev-del", new JsonObject { ["node-name"] = BlockNodes.NameOf(layer.Id) }, cancellation);
        }
        catch (QmpRefusalException)
        {
            // It is not open, or was opened with what built on it and goes with that.
        }
    }

    private static JsonObject Copy(MirrorRequest mirror)
    {
        var arguments = Job(mirror);
        arguments["device"] = BlockNodes.NameOf(mirror.Source.Id);
        arguments["target"] = BlockNodes.NameOf(mirror.Target.Id);
        arguments["sync"] = mirror.Kind is MirrorKind.Shallow ? "top" : "full";
        arguments["on-source-error"] = "stop";
        arguments["on-target-error"] = "stop";
        arguments["copy-mode"] = mirror.Pace.Synchronous ? "write-blocking" : "background";
        if (mirror.Pace.Granularity is { } granularity)
        {
            arguments["granularity"] = granularity.Bytes;
        }

        if (mirror.Pace.Buffer is { } buffer)
        {
            arguments["buf-size"] = buffer.Bytes;
        }

        return arguments;
    }

    private static JsonObject Commit(MirrorRequest mirror)
    {
        var arguments = Job(mirror);
        arguments["device"] = BlockNodes.NameOf(mirror.Source.Id);
        arguments["base-node"] = BlockNodes.NameOf(mirror.Target.Id);
        arguments["on-error"] = "stop";
        return arguments;
    }

    private static JsonObject Job(MirrorRequest mirror)
    {
        var job = new JsonObject { ["job-id"] = MergeJobs.NameOf(mirror.Job), ["auto-finalize"] = false, ["auto-dismiss"] = true };
        if (mirror.Pace.PerSecond is { } speed)
        {
            job["speed"] = speed.Bytes;
        }

        return job;
    }
}
