using System.Collections.Concurrent;
using System.Threading.Channels;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>
/// The streams of one client: bytes of a console or a picture, in frames that have procedure and serial of the call that opened the stream.
/// </summary>
internal sealed class ClientStreams(Client client) : IDisposable
{
    /// <summary>The most bytes in one frame.</summary>
    public const int MostData = 256 << 10;

    // What a client may have sent to a console that is slow, and what is sent to it at once.
    private const int MostWaiting = 1 << 20, Chunk = 32 << 10;

    private readonly ConcurrentDictionary<uint, OpenStream> _open = new();

    /// <summary>
    /// Carries bytes between a client and something of ours until either ends, from when the call that opens it has been answered.
    /// </summary>
    /// <param name="caller">The call that opened it.</param>
    /// <param name="ours">What is ours; it is disposed at the end.</param>
    /// <param name="ended">Called at the end, in any case.</param>
    /// <param name="until">Ends it before.</param>
    public void Carry(Caller caller, Stream ours, Action ended, CancellationToken until)
    {
        var opened = new OpenStream(client, caller.Procedure, caller.Serial, ours, until);
        if (!_open.TryAdd(caller.Serial, opened))
        {
            ours.Dispose();
            ended();
            throw RpcException.InvalidArgument($"there is a stream of serial {caller.Serial} already");
        }

        caller.Then = () => _ = RunAsync(opened, ended);
    }

    /// <summary>Something of a stream has come. What is of none that is open any more is let go.</summary>
    public void Receive(Frame frame)
    {
        if (_open.TryGetValue(frame.Header.Serial, out var stream) && stream.Procedure == frame.Header.Procedure)
        {
            stream.Receive(frame);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var stream in _open.Values)
        {
            stream.End();
        }
    }

    private async Task RunAsync(OpenStream stream, Action ended)
    {
        try
        {
            try
            {
                await stream.RunAsync().ConfigureAwait(false);
            }
            finally
            {
                ended();
            }

            // A client that was told the end still waits for an answer when it says that it has ended too, and may open another one then.
            await client.SendAsync(await stream.LastAsync().ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // Nobody is there any more.
            return;
        }
        finally
        {
            _open.TryRemove(stream.Serial, out _);
        }
    }

    private sealed class OpenStream(Client client, int procedure, uint serial, Stream ours, CancellationToken until)
    {
        private readonly CancellationTokenSource _ended = CancellationTokenSource.CreateLinkedTokenSource(client.Ended, until);
        private readonly Channel<ReadOnlyMemory<byte>> _arrived = Channel.CreateUnbounded<ReadOnlyMemory<byte>>();

        private readonly Lock _lock = new();
        private readonly TaskCompletionSource<Frame> _last = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly CancellationToken _gone = client.Ended;
        private bool _isOver;
        private int _waiting;

        public int Procedure => procedure;

        public uint Serial => serial;

        public void End()
        {
            lock (_lock)
            {
                if (!_isOver)
                {
                    _ended.Cancel();
                }
            }
        }

        public async Task RunAsync()
        {
            await using (ours.ConfigureAwait(false))
            {
                await Task.WhenAll(ForwardAsync(), DeliverAsync()).ConfigureAwait(false);
            }

            lock (_lock)
            {
                _isOver = true;
                _ended.Dispose();
            }
        }

        /// <summary>What is answered when the client has said its last.</summary>
        public Task<Frame> LastAsync() => _last.Task.WaitAsync(_gone);

        public void Receive(Frame frame)
        {
            switch (frame.Header)
            {
                case { Type: FrameType.Stream, Status: FrameStatus.Continue }:
                    if (Interlocked.Add(ref _waiting, frame.Payload.Length) > MostWaiting || !_arrived.Writer.TryWrite(frame.Payload))
                    {
                        Fail("nobody reads what is sent to it");
                    }

                    break;
                case { Type: FrameType.Stream, Status: FrameStatus.Ok }:
                    _last.TrySetResult(Data(FrameStatus.Ok, ReadOnlyMemory<byte>.Empty));
                    _arrived.Writer.TryComplete();
                    break;
                case { Type: FrameType.Stream, Status: FrameStatus.Error }:
                    // To abort is no failure.
                    _last.TrySetResult(Data(FrameStatus.Ok, ReadOnlyMemory<byte>.Empty));
                    End();
                    break;
                default:
                    Fail($"cannot have a frame of type {frame.Header.Type}");
                    break;
            }
        }

        private void Fail(string problem)
        {
            _last.TrySetResult(Frame.Failed(Header(FrameStatus.Error), new RemoteError(RpcCode.Rpc, RpcOrigin.Streams, $"stream {problem}")));
            End();
        }

        private FrameHeader Header(FrameStatus status) => new(Programs.Remote, Programs.Version, procedure, FrameType.Stream, serial, status);

        private Frame Data(FrameStatus status, ReadOnlyMemory<byte> bytes) => new(Header(status), bytes);

        /// <summary>What is ours goes to the client; at its end an empty frame does.</summary>
        private async Task ForwardAsync()
        {
            var buffer = new byte[Chunk];
            try
            {
                int length;
                do
                {
                    length = await ours.ReadAsync(buffer, _ended.Token).ConfigureAwait(false);
                    await client.SendAsync(Data(FrameStatus.Continue, buffer.AsSpan(0, length).ToArray())).ConfigureAwait(false);
                }
                while (length > 0);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                if (!_last.Task.IsCompleted)
                {
                    await client.SendAsync(Data(FrameStatus.Continue, ReadOnlyMemory<byte>.Empty)).ConfigureAwait(false);
                }
            }

            End();
        }

        /// <summary>What the client sends goes to what is ours, all of it before the end. One that cannot be written to takes nothing.</summary>
        private async Task DeliverAsync()
        {
            try
            {
                await foreach (var bytes in _arrived.Reader.ReadAllAsync(_ended.Token).ConfigureAwait(false))
                {
                    if (ours.CanWrite)
                    {
                        await ours.WriteAsync(bytes, _ended.Token).ConfigureAwait(false);
                    }

                    Interlocked.Add(ref _waiting, -bytes.Length);
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException)
            {
                // Either side has ended.
                return;
            }

            End();
        }
    }
}
