using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Coppice.Live.Witness;

/// <summary>Lines to and from the agent: requests matched with their answers, and what it says unasked.</summary>
internal sealed class WitnessConnection : IAsyncDisposable
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan GreetInterval = TimeSpan.FromSeconds(1);
    private const int Greetings = 5;

    private readonly TimeProvider _clock;
    private readonly NetworkStream _stream;
    private readonly Task _reading;
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly ConcurrentDictionary<string, TaskCompletionSource<WitnessAnswer>> _waiting = new();
    private readonly TaskCompletionSource _greeted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // A revert may replay answers to requests of the past, so no two connections share an id.
    private readonly string _idPrefix = Guid.NewGuid().ToString("N")[..8];
    private long _lastId;
    private long _lastAcked;
    private long _lastBeat;
    private long _longestBeatGap;

    private WitnessConnection(string socketPath, Socket socket, TimeProvider clock)
    {
        SocketPath = socketPath;
        _clock = clock;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reading = ReadAsync();
    }

    public string SocketPath { get; }

    public long LastAcked => Interlocked.Read(ref _lastAcked);

    /// <summary>
    /// Connects until it is answered, anew each time: where a connection ends just as the guest writes, QEMU may keep what the
    /// guest says from the next one, and lets go only when that ends too.
    /// </summary>
    public static async Task<WitnessConnection> OpenAsync(
        string socketPath, TimeSpan limit, TimeProvider clock, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(limit, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        WitnessConnection? connection = null;
        try
        {
            while (true)
            {
                connection = new WitnessConnection(socketPath, await ConnectAsync(socketPath, clock, either.Token), clock);
                if (await connection.IsGreetedAsync(either.Token))
                {
                    return connection;
                }

                await connection.DisposeAsync();
            }
        }
        catch (Exception e)
        {
            var heard = connection is null ? "nobody listens on it" : "the agent in the guest does not answer";
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }

            if (e is OperationCanceledException && !cancellation.IsCancellationRequested)
            {
                throw new TimeoutException($"No witness on {socketPath} within {limit.TotalSeconds:0.#} s: {heard}.", e);
            }

            throw;
        }
    }

    public async Task<WitnessAnswer> AskAsync(string request, TimeSpan limit, CancellationToken cancellation)
    {
        if (request.Contains('\n', StringComparison.Ordinal))
        {
            throw new ArgumentException("A request to the witness is one line.", nameof(request));
        }

        var id = $"{_idPrefix}-{Interlocked.Increment(ref _lastId)}";
        var answered = new TaskCompletionSource<WitnessAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = answered;
        try
        {
            // Registered before this look, so a connection that ends now or later is noticed either way.
            if (_reading.IsCompleted)
            {
                throw Closed();
            }

            // A revert in mid-conversation brings back half a line, here or there; the empty line ends it.
            await SendAsync($"\n{id} {request}", cancellation);
            return await answered.Task.WaitAsync(limit, _clock, cancellation);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException(
                $"The witness on {SocketPath} did not answer '{request}' within {limit.TotalSeconds:0.#} s.");
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    public TimeSpan TakeLongestBeatGap() => TimeSpan.FromTicks(Interlocked.Exchange(ref _longestBeatGap, 0));

    public void ForgetBeats()
    {
        Interlocked.Exchange(ref _lastBeat, 0);
        Interlocked.Exchange(ref _longestBeatGap, 0);
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        await _reading;
        _sending.Dispose();
    }

    private static async Task<Socket> ConnectAsync(string socketPath, TimeProvider clock, CancellationToken cancellation)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
                return socket;
            }
            catch (SocketException)
            {
                socket.Dispose();
                await Task.Delay(RetryInterval, clock, cancellation);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }

    // An empty line, repeated because a guest that is just booting may lose one, until an empty line comes back.
    private async Task<bool> IsGreetedAsync(CancellationToken cancellation)
    {
        for (var i = 0; i < Greetings && !_greeted.Task.IsCompleted; i++)
        {
            await SendAsync("", cancellation);
            await Task.WhenAny(_greeted.Task, Task.Delay(GreetInterval, _clock, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }

        if (_greeted.Task.IsCompleted)
        {
            await _greeted.Task;
        }

        return _greeted.Task.IsCompleted;
    }

    private async Task SendAsync(string line, CancellationToken cancellation)
    {
        await _sending.WaitAsync(cancellation);
        try
        {
            await _stream.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancellation);
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task ReadAsync()
    {
        await Task.Yield();
        using var reader = new StreamReader(_stream, Encoding.UTF8, false, 4096, leaveOpen: true);
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                Take(line);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException)
        {
            // Both ends may close at any time; whoever waits is told below.
        }

        _greeted.TrySetException(Closed());
        _ = _greeted.Task.Exception;
        foreach (var answered in _waiting.Values)
        {
            answered.TrySetException(Closed());
        }
    }

    private void Take(string line)
    {
        switch (line.Split(' ', 3))
        {
            case [""]:
                _greeted.TrySetResult();
                break;
            case ["ack", var sequence] when long.TryParse(sequence, CultureInfo.InvariantCulture, out var acked):
                Interlocked.Exchange(ref _lastAcked, acked);
                break;
            case ["beat", _]:
                TakeBeat();
                break;
            case [var id, "ok", .. var rest] when _waiting.TryGetValue(id, out var answered):
                answered.TrySetResult(WitnessAnswer.Parse(rest is [var text] ? text : ""));
                break;
            case [var id, "error", var why] when _waiting.TryGetValue(id, out var answered):
                answered.TrySetException(new WitnessException($"The witness on {SocketPath} refused: {why}"));
                break;
        }
    }

    private void TakeBeat()
    {
        var now = _clock.GetTimestamp();
        var before = Interlocked.Exchange(ref _lastBeat, now);
        var gap = before == 0 ? 0 : _clock.GetElapsedTime(before, now).Ticks;
        if (gap > Interlocked.Read(ref _longestBeatGap))
        {
            Interlocked.Exchange(ref _longestBeatGap, gap);
        }
    }

    private IOException Closed() => new($"The connection to the witness on {SocketPath} is closed.");
}
