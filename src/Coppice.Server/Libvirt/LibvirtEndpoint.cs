using System.Collections.Concurrent;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Answers libvirt's clients on listening sockets. Who connects to a socket is decided by its kind: only root and whoever runs this may
/// change anything, whatever the socket's file allows. Nothing that it does hangs on its own life: it may be stopped and started at any
/// time, and no guest notices.
/// </summary>
internal sealed class LibvirtEndpoint(CallTable calls, EventPublisher events, TimeProvider time, ILogger log)
{
    /// <summary>How many may be connected at once, and of these how many that may only read: they must not keep the others out.</summary>
    public const int MostClients = 500, MostReaders = 300;

    private static readonly TimeSpan s_afterFailure = TimeSpan.FromMilliseconds(200);

    /// <summary>Accepts connections until it is stopped; then ends them and waits until what they asked for has ended.</summary>
    public async Task RunAsync(ListeningSocket listening, CancellationToken stopping)
    {
        var served = new ConcurrentDictionary<Task, Task>();
        try
        {
            while (true)
            {
                if (await AcceptAsync(listening, stopping).ConfigureAwait(false) is not { } socket)
                {
                    continue;
                }

                var task = ServeAsync(socket, listening.IsReadOnly, stopping);
                served.TryAdd(task, task);
                _ = task.ContinueWith(done => served.TryRemove(done, out _), TaskScheduler.Default);
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(served.Keys).ConfigureAwait(false);
        }
    }

    /// <summary>The next connection; null if it could not be taken, as when this process has too many files open.</summary>
    private async Task<Socket?> AcceptAsync(ListeningSocket listening, CancellationToken stopping)
    {
        try
        {
            return await listening.Socket.AcceptAsync(stopping).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            log.LogWarning("a connection could not be taken: {Problem}", e.Message);
            await Task.Delay(s_afterFailure, time, stopping).ConfigureAwait(false);
            return null;
        }
    }

    private async Task ServeAsync(Socket socket, bool isReadOnly, CancellationToken stopping)
    {
        await Task.Yield();
        using var taken = socket;
        using var client = new Client(socket, isReadOnly, calls, time, log);
        try
        {
            if (Refusal(PeerCredentials.Of(socket), isReadOnly) is { } refusal)
            {
                log.LogWarning("a connection was refused: {Why}", refusal);
                return;
            }

            events.Clients.TryAdd(client, client);
            await client.RunAsync(stopping).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // Whatever goes wrong with one client is no matter of the others.
        catch (Exception e)
#pragma warning restore CA1031
        {
            log.LogWarning("a client was dropped: {Problem}", e.Message);
        }
        finally
        {
            events.Clients.TryRemove(client, out _);
        }
    }

    private string? Refusal(PeerCredentials peer, bool isReadOnly) =>
        !isReadOnly && !peer.MayChange ? $"user {peer.User} may not change anything"
        : events.Clients.Count >= MostClients || (isReadOnly && events.Clients.Keys.Count(c => c.IsReadOnly) >= MostReaders) ? "there are too many"
        : null;
}
