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
    /// <summary>How many may be connected at once.</summary>
    public const int MostClients = 500;

    /// <summary>Accepts connections until it is stopped; then ends them and waits until what they asked for has ended.</summary>
    public async Task RunAsync(ListeningSocket listening, CancellationToken stopping)
    {
        var served = new ConcurrentDictionary<Task, Task>();
        try
        {
            while (true)
            {
                var socket = await listening.Socket.AcceptAsync(stopping).ConfigureAwait(false);
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

    private async Task ServeAsync(Socket socket, bool isReadOnly, CancellationToken stopping)
    {
        await Task.Yield();
        using var client = new Client(socket, isReadOnly, calls, time, log);
        var peer = PeerCredentials.Of(socket);
        if (events.Clients.Count >= MostClients || !(isReadOnly || peer.MayChange))
        {
            log.LogWarning("a connection of user {User} was refused: {Why}", peer.User, isReadOnly || peer.MayChange ? "there are too many" : "it may not");
            socket.Dispose();
            return;
        }

        events.Clients.TryAdd(client, client);
        try
        {
            await client.RunAsync(stopping).ConfigureAwait(false);
        }
        finally
        {
            events.Clients.TryRemove(client, out _);
        }
    }
}
