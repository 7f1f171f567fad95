using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Threading.Channels;
using Coppice.Files;
using Coppice.Libvirt.Wire;
using Microsoft.Extensions.Logging;

namespace Coppice.Server.Libvirt;

/// <summary>
/// One connection. Calls are carried out side by side, and answered as they end; what a client does not read is kept for it up to a
/// limit: then answers wait for it, and one that was to be told of an event is dropped.
/// </summary>
internal sealed class Client : IDisposable
{
    private const int MostCalls = 20;
    private const int MostWaitingFrames = 1024;
    private static readonly TimeSpan s_openLimit = TimeSpan.FromSeconds(10), s_handOverInterval = TimeSpan.FromMilliseconds(5);

    private readonly Socket _socket;
    private readonly CallTable _calls;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _free = new(MostCalls);
    private readonly CancellationTokenSource _ended = new();

    // Whoever adds a frame writes it, if nobody else is at it: an answer does not wait for another thread. So nobody may add one under a lock.
    private readonly Channel<Frame> _waiting = Channel.CreateBounded<Frame>(
        new BoundedChannelOptions(MostWaitingFrames) { SingleReader = true, AllowSynchronousContinuations = true });

    private readonly KeepAliveWatch _keepAlive;

    public Client(Socket socket, bool isReadOnly, CallTable calls, TimeProvider time, ILogger log)
    {
        (_socket, IsReadOnly, _calls, _time, _log) = (socket, isReadOnly, calls, time, log);
        Ended = _ended.Token;
        _keepAlive = new KeepAliveWatch(this, time);
        Streams = new ClientStreams(this);
    }

    /// <summary>It may not change anything.</summary>
    public bool IsReadOnly { get; private set; }

    /// <summary>The URI that it has opened; null if it has not, or no longer.</summary>
    public string? Uri { get; private set; }

    /// <summary>What it may have answered.</summary>
    public CallRight Right => Uri is null ? CallRight.Anybody : IsReadOnly ? CallRight.Reader : CallRight.Writer;

    /// <summary>What it wants to be told of.</summary>
    public Subscriptions Subscriptions { get; } = new();

    /// <summary>The streams that it has open.</summary>
    public ClientStreams Streams { get; }

    /// <summary>Ends with the connection. Who tells events may find a client that has just gone, and asks for this.</summary>
    public CancellationToken Ended { get; }

    /// <summary>It has asked for so much that it is not listened to until some of it is answered.</summary>
    public bool IsBusy => _free.CurrentCount is 0;

    /// <summary>It has opened the hypervisor.</summary>
    public void Open(string uri, bool isReadOnly) => (Uri, IsReadOnly) = (uri, IsReadOnly || isReadOnly);

    /// <summary>It has closed it.</summary>
    public void Close()
    {
        Uri = null;
        Subscriptions.Clear();
    }

    /// <summary>It answers pings: from now on it is asked whether it is there.</summary>
    public void StartKeepAlive() => _keepAlive.Start();

    /// <summary>Ends the connection.</summary>
    public void Drop()
    {
        try
        {
            _ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has ended long ago.
            return;
        }
    }

    /// <summary>Sends a frame when its turn comes. Nothing happens if the connection has ended.</summary>
    public async ValueTask SendAsync(Frame frame)
    {
        try
        {
            await _waiting.Writer.WriteAsync(frame, Ended).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // Nobody is there any more.
            frame.Connection?.Dispose();
        }
    }

    /// <summary>Sends a frame that nobody can wait with: a client that has not read a thousand others is dropped.</summary>
    public void Tell(Frame frame)
    {
        if (!_waiting.Writer.TryWrite(frame) && !Ended.IsCancellationRequested)
        {
            _log.LogWarning("a client was dropped: it does not read what it is told");
            Drop();
        }
    }

    /// <summary>Serves the connection until either side ends it.</summary>
    /// <param name="stopping">Ends with the server.</param>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var registration = stopping.Register(Drop);
        await using var stream = new NetworkStream(_socket, ownsSocket: true);
        var writing = WriteAsync(stream);
        var opening = DropUnlessOpenedAsync();
        try
        {
            await ReadAsync(stream, stopping).ConfigureAwait(false);
        }
        catch (WireException e)
        {
            _log.LogWarning("a client was dropped: {Problem}", e.Message);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            _log.LogDebug("a client has gone: {Problem}", e.Message);
        }
        finally
        {
            Drop();
            Close();
            Streams.Dispose();
            await writing.ConfigureAwait(false);
            await opening.ConfigureAwait(false);
            await _keepAlive.EndAsync().ConfigureAwait(false);

            // What it has asked for is done to the end, although nobody hears of it.
            for (var call = 0; call < MostCalls; call++)
            {
                await _free.WaitAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ended.Dispose();
        _free.Dispose();
    }

    private async Task ReadAsync(NetworkStream stream, CancellationToken stopping)
    {
        var input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        while (await Frame.ReadAsync(input, Ended).ConfigureAwait(false) is { } frame)
        {
            _keepAlive.Heard();
            switch (frame.Header)
            {
                case { Program: Programs.KeepAlive, Type: FrameType.Message }:
                    _keepAlive.Answer(frame.Header);
                    break;
                case { Type: FrameType.Call }:
                    await _free.WaitAsync(Ended).ConfigureAwait(false);
                    _ = AnswerAsync(new Caller(this, Right, frame.Header.Procedure, frame.Header.Serial, stopping), frame);
                    break;
                case { Program: Programs.Remote, Type: FrameType.Stream or FrameType.Hole }:
                    Streams.Receive(frame);
                    break;
                default:
                    throw new WireException($"nobody expects a frame of type {frame.Header.Type} of program {frame.Header.Program:x8}");
            }
        }
    }

    private async Task AnswerAsync(Caller caller, Frame frame)
    {
        try
        {
            await SendAsync(await AnswerOfAsync(caller, frame).ConfigureAwait(false)).ConfigureAwait(false);
            caller.Then();
        }
        finally
        {
            _free.Release();
        }
    }

    private async Task<Frame> AnswerOfAsync(Caller caller, Frame frame)
    {
        var header = frame.Header;
        if (header.Program is not (Programs.Remote or Programs.Qemu) || header.Version != Programs.Version)
        {
            var problem = $"Cannot find program {(int)header.Program} version {header.Version}";
            return Frame.Failed(header with { Type = FrameType.Reply }, new RemoteError(RpcCode.Rpc, RpcOrigin.Rpc, problem));
        }

        return header.Program is Programs.Qemu
            ? Frame.Failed(header with { Type = FrameType.Reply }, RpcException.UnknownProcedure(header.Procedure).Error)
            : await _calls.AnswerAsync(caller, frame.Payload).ConfigureAwait(false);
    }

    private async Task WriteAsync(NetworkStream stream)
    {
        var output = new ArrayBufferWriter<byte>();
        try
        {
            await foreach (var frame in _waiting.Reader.ReadAllAsync(Ended).ConfigureAwait(false))
            {
                frame.Write(output);
                if (frame.Connection is not null || !_waiting.Reader.TryPeek(out _) || output.WrittenCount > ClientStreams.MostData)
                {
                    await stream.WriteAsync(output.WrittenMemory, Ended).ConfigureAwait(false);
                    output.ResetWrittenCount();
                }

                if (frame.Connection is { } connection)
                {
                    await HandOverAsync(connection).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or WireException or SocketException)
        {
            _log.LogDebug("a client has gone: {Problem}", e.Message);
        }
        finally
        {
            Drop();
            _waiting.Writer.TryComplete();
            while (_waiting.Reader.TryRead(out var unsent))
            {
                unsent.Connection?.Dispose();
            }
        }
    }

    /// <summary>A connection goes with a byte that says nothing.</summary>
    private async Task HandOverAsync(Socket connection)
    {
        using (connection)
        {
            UnixDescriptors.MakeBlocking(connection);
            while (!UnixDescriptors.TrySend(_socket, [0], connection.SafeHandle))
            {
                await Task.Delay(s_handOverInterval, _time, Ended).ConfigureAwait(false);
            }
        }
    }

    private async Task DropUnlessOpenedAsync()
    {
        try
        {
            await Task.Delay(s_openLimit, _time, Ended).ConfigureAwait(false);
            if (Right is CallRight.Anybody)
            {
                _log.LogInformation("a client was dropped: it has not opened the hypervisor in {Seconds} s", s_openLimit.TotalSeconds);
                Drop();
            }
        }
        catch (OperationCanceledException)
        {
            // It has ended by itself.
            return;
        }
    }
}
