using System.Text.Json;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.BlockGraph;

/// <summary>
/// Merges as QEMU's jobs. They stop at an error and keep it, and wait to be finished. One that has ended is forgotten at once:
/// QEMU (7.2 and 10.0) crashes when it is asked for its block nodes while a stream that has ended is not.
/// </summary>
internal static class MergeJobs
{
    // What waits for a flush takes as long as the disk needs.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);

    private const string Prefix = "coppice-";

    /// <summary>What QEMU calls the job.</summary>
    public static string NameOf(ShortId job) => $"{Prefix}{job}";

    /// <summary>The job of a name; null if it is none of a merge.</summary>
    public static ShortId? JobOf(string name)
    {
        try
        {
            return name.StartsWith(Prefix, StringComparison.Ordinal) ? ShortId.Parse(name[Prefix.Length..]) : null;
        }
        catch (FormatException)
        {
            return null;
        }
    }

    /// <summary>How far it has come.</summary>
    public static async Task<MergeObservation> ObserveAsync(QmpConnection qmp, ShortId job, CancellationToken cancellation)
    {
        var found = await FindAsync(qmp, job, cancellation);
        if (found is not { } block)
        {
            return MergeObservation.Gone(job);
        }

        var error = ErrorOf(block);
        var state = (error, block.TextOrEmpty("status")) switch
        {
            (not null, _) => MergeState.Failed,
            (_, "ready" or "pending") => MergeState.Ready,
            _ => MergeState.Running,
        };
        return new MergeObservation(
            job, state, new ByteCount(block.NumberOrZero("offset")), new ByteCount(block.NumberOrZero("len"))) { Error = error };
    }

    /// <summary>Begins it. The images that it writes can be written already.</summary>
    /// <exception cref="QmpRefusalException">QEMU does not.</exception>
    public static Task BeginAsync(QmpConnection qmp, MergeRequest merge, CancellationToken cancellation)
    {
        var pair = MergePair.Of(merge);
        var arguments = new JsonObject
        {
            ["job-id"] = NameOf(merge.Job),
            ["on-error"] = "stop",
            ["auto-finalize"] = false,
            ["auto-dismiss"] = true,
        };
        if (merge.Direction is MergeDirection.Stream)
        {
            arguments["device"] = BlockNodes.NameOf(pair.Upper.Id);
            if (pair.Below is { } below)
            {
                arguments["base-node"] = BlockNodes.NameOf(below.Id);
                arguments["backing-file"] = LayerFileName.BackingName(pair.Upper.Path, below.Path);
            }

            return qmp.ExecuteAsync("block-stream", arguments, cancellation);
        }

        arguments["device"] = BlockNodes.NameOf(merge.Chain[0].Id);
        arguments["base-node"] = BlockNodes.NameOf(pair.Lower.Id);
        if (pair.Above is { } above)
        {
            arguments["top-node"] = BlockNodes.NameOf(pair.Upper.Id);
            arguments["backing-file"] = LayerFileName.BackingName(above.Path, pair.Lower.Path);
        }

        return qmp.ExecuteAsync("block-commit", arguments, cancellation);
    }

    /// <summary>Gives it up and waits until it has let go of its images; nothing happens if there is none.</summary>
    public static async Task CancelAsync(QmpConnection qmp, ShortId job, TimeProvider time, CancellationToken cancellation)
    {
        try
        {
            await qmp.ExecuteAsync("job-cancel", new JsonObject { ["id"] = NameOf(job) }, cancellation);
        }
        catch (QmpRefusalException)
        {
            // There is none, or it is ending.
        }

        for (var start = time.GetTimestamp();
            await FindAsync(qmp, job, cancellation) is not null;
            await Task.Delay(s_interval, time, cancellation))
        {
            if (time.GetElapsedTime(start) > s_limit)
            {
                throw new CoppiceException(
                    ErrorKind.Hypervisor, $"merge {job}", "was cancelled and does not end",
                    "see whether the storage of its images hangs");
            }
        }
    }

    /// <summary>Has a commit of the topmost layer, which goes on until it is told to end, copy what is left.</summary>
    /// <exception cref="QmpRefusalException">That failed.</exception>
    public static Task SettleAsync(QmpConnection qmp, ShortId job, TimeProvider time, CancellationToken cancellation) =>
        SettleAsync(qmp, job, "job-complete", new JsonObject { ["id"] = NameOf(job) }, Timeout.InfiniteTimeSpan, time, cancellation);

    /// <summary>Likewise, by another command, and not for longer than that takes.</summary>
    /// <exception cref="QmpRefusalException">That failed.</exception>
    public static async Task SettleAsync(
        QmpConnection qmp, ShortId job, string command, JsonObject arguments, TimeSpan limit, TimeProvider time, CancellationToken cancellation)
    {
        var (isTold, start) = (false, time.GetTimestamp());
        for (; await FindAsync(qmp, job, cancellation) is { } found && found.TextOrEmpty("status") is not "pending";
            await Task.Delay(s_interval / 10, time, cancellation))
        {
            if (ErrorOf(found) is { } error)
            {
                throw new QmpRefusalException(command, "GenericError", error);
            }

            if (limit > TimeSpan.Zero && time.GetElapsedTime(start) > limit)
            {
                throw new QmpRefusalException(command, "GenericError", "the guest writes faster than is copied");
            }

            if (!isTold && found.TextOrEmpty("status") is "ready")
            {
                await qmp.ExecuteAsync(command, arguments, cancellation);
                isTold = true;
            }
        }
    }

    /// <summary>Lets QEMU change graph and header, and waits until it has.</summary>
    /// <exception cref="QmpRefusalException">It could not.</exception>
    public static async Task FinalizeAsync(QmpConnection qmp, ShortId job, CancellationToken cancellation)
    {
        qmp.ForgetEvents();
        await qmp.ExecuteAsync("job-finalize", new JsonObject { ["id"] = NameOf(job) }, s_limit, cancellation);
        while (true)
        {
            var ended = await qmp.WaitEventAsync(
                e => e.Name is "BLOCK_JOB_COMPLETED" or "BLOCK_JOB_CANCELLED" && e.Text("device") == NameOf(job),
                s_interval, cancellation);
            switch (ended)
            {
                case null:
                    continue;
                case { Name: "BLOCK_JOB_CANCELLED" }:
                    throw new QmpRefusalException("job-finalize", "GenericError", "somebody else has cancelled it");
                default:
                    RequireNoError(ended);
                    return;
            }
        }
    }

    private static void RequireNoError(QmpEvent ended)
    {
        if (ended.Text("error") is { Length: > 0 } error)
        {
            throw new QmpRefusalException("job-finalize", "GenericError", error);
        }
    }

    /// <summary>Reopens a node. QEMU writes back what it keeps of the tables of its image first, and says if it cannot.</summary>
    /// <exception cref="QmpRefusalException">It cannot.</exception>
    public static Task ReopenAsync(QmpConnection qmp, JsonObject node, CancellationToken cancellation) =>
        qmp.ExecuteAsync("blockdev-reopen", new JsonObject { ["options"] = new JsonArray(node) }, s_limit, cancellation);

    private static string? ErrorOf(JsonElement job) => job.TextOrEmpty("io-status") switch
    {
        "nospace" => "no space is left on the file system",
        "failed" => "an image cannot be read or written",
        _ => job.TextOrEmpty("error") is { Length: > 0 } words ? words : null,
    };

    private static async Task<JsonElement?> FindAsync(QmpConnection qmp, ShortId job, CancellationToken cancellation)
    {
        var jobs = await qmp.ExecuteAsync("query-block-jobs", null, cancellation);
        var found = jobs.Items().FirstOrDefault(j => j.TextOrEmpty("device") == NameOf(job));
        return found.ValueKind is JsonValueKind.Undefined ? null : found;
    }
}
