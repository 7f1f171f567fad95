using System.Runtime.CompilerServices;
using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu;

/// <summary>Listens to the monitor that is there for nothing else.</summary>
internal sealed class EventWatch(TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    /// <summary>See <see cref="IHypervisor.WatchAsync"/>.</summary>
    public async IAsyncEnumerable<GuestEvent> WatchAsync(RunFolder folder, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        var connection = await ConnectAsync(process, folder, cancellation);
        if (connection is null)
        {
            yield break;
        }

        await using var qmp = connection;
        yield return new GuestEvent(GuestEventKind.Began);
        var translation = new EventTranslation(qmp);
        while (await NextAsync(process, qmp, cancellation) is { } told)
        {
            if (await translation.OfAsync(told, cancellation) is { } found)
            {
                yield return found;
            }
        }
    }

    /// <summary>Connects; null if the process has ended, or has no such monitor.</summary>
    private static async Task<QmpConnection?> ConnectAsync(RunProcess process, RunFolder folder, CancellationToken cancellation)
    {
        // It listens there before anybody may know of the process.
        if (process.Pid is not { } pid || !File.Exists(folder.Events))
        {
            return null;
        }

        try
        {
            return await process.ConnectAsync(folder.Events, $"process {pid}", s_limit, cancellation);
        }
        catch (CoppiceException e)
        {
            return await process.EndsAsync(cancellation) ? null : throw new CoppiceException(
                ErrorKind.Busy, $"process {pid}", "is watched by somebody else already, or hangs", "try again later, or end the other", e);
        }
    }

    /// <summary>What it tells next; null once it has ended.</summary>
    private static async Task<QmpEvent?> NextAsync(RunProcess process, QmpConnection qmp, CancellationToken cancellation)
    {
        try
        {
            return await qmp.WaitEventAsync(_ => true, Timeout.InfiniteTimeSpan, cancellation);
        }
        catch (CoppiceException)
        {
            if (await process.EndsAsync(cancellation))
            {
                return null;
            }

            throw;
        }
    }
}
