using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// Finds out whether a client is still there: if nothing has come from it for five seconds it is asked, and dropped if nothing has come after
/// the fifth time.
/// </summary>
internal sealed class KeepAliveWatch(Client client, TimeProvider time)
{
    private const int MostUnanswered = 5;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private Task _watching = Task.CompletedTask;
    private bool _isStarted;
    private int _silent;

    /// <summary>Something has come.</summary>
    public void Heard() => Volatile.Write(ref _silent, 0);

    /// <summary>Answers what it asks itself.</summary>
    public void Answer(FrameHeader header)
    {
        if (header.Procedure is KeepAlive.Ping)
        {
            client.Tell(Message(KeepAlive.Pong));
        }
    }

    /// <summary>Begins to watch. Nothing happens the second time.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (!_isStarted)
            {
                _isStarted = true;
                _watching = WatchAsync();
            }
        }
    }

    /// <summary>Waits until the watching is over, which the end of the client ends.</summary>
    public Task EndAsync()
    {
        lock (_lock)
        {
            _isStarted = true;
            return _watching;
        }
    }

    private static Frame Message(int procedure) =>
        new(new FrameHeader(Programs.KeepAlive, Programs.Version, procedure, FrameType.Message, 0, FrameStatus.Ok), ReadOnlyMemory<byte>.Empty);

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(s_interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(client.Ended).ConfigureAwait(false))
            {
                if (client.IsBusy)
                {
                    // What it has sent since is not read yet.
                    Heard();
                    continue;
                }

                // The first interval may have begun just before something came.
                var silent = Interlocked.Increment(ref _silent);
                if (silent > MostUnanswered + 1)
                {
                    client.Drop();
                }
                else if (silent > 1)
                {
                    client.Tell(Message(KeepAlive.Ping));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The client has ended.
            return;
        }
    }
}
