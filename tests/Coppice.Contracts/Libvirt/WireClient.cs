using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Threading.Channels;
using Coppice.Libvirt.Wire;

namespace Coppice.Contracts.Libvirt;

/// <summary>An answer that is an error.</summary>
public sealed class WireRefusalException(RemoteError error) : Exception($"{error.Code}: {error.Message}")
{
    public RemoteError Error { get; } = error;
}

/// <summary>A client of libvirt's protocol, for whoever wants to ask what virsh does not.</summary>
public sealed class WireClient : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<Frame>> _asked = new();
    private readonly Channel<Frame> _told = Channel.CreateUnbounded<Frame>();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly Task _reading;
    private uint _serial;

    private WireClient(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reading = ReadAsync();
    }

    /// <summary>Ends once the server has ended the connection.</summary>
    public Task Ended => _reading;

    /// <summary>Connects, and does nothing else.</summary>
    public static async Task<WireClient> ConnectAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return new WireClient(socket);
    }

    /// <summary>Connects and opens the hypervisor.</summary>
    public static async Task<WireClient> OpenAsync(string path, bool readOnly = false)
    {
        var client = await ConnectAsync(path);
        await client.CallAsync(ConnectionProcedures.AuthList, default);
        await client.CallAsync(ConnectionProcedures.Open, ("qemu:///system", readOnly ? 1u : 0u));
        return client;
    }

    /// <summary>Calls a procedure.</summary>
    /// <exception cref="WireRefusalException">The answer is an error.</exception>
    /// <exception cref="IOException">The connection has ended.</exception>
    public async Task<TAnswered> CallAsync<TAsked, TAnswered>(Procedure<TAsked, TAnswered> procedure, TAsked asked)
    {
        ArgumentNullException.ThrowIfNull(procedure);
        var reply = await CallAsync(new FrameHeader(Programs.Remote, 1, procedure.Number, FrameType.Call, 0, FrameStatus.Ok), procedure.Asked.Encode(asked));
        return procedure.Answered.Decode(reply.Payload.Span);
    }

    /// <summary>Calls whatever a header says.</summary>
    public async Task<Frame> CallAsync(FrameHeader header, ReadOnlyMemory<byte> payload)
    {
        var serial = Interlocked.Increment(ref _serial);
        var answer = _asked.GetOrAdd(serial, new TaskCompletionSource<Frame>(TaskCreationOptions.RunContinuationsAsynchronously));
        await SendAsync(new Frame(header with { Serial = serial }, payload));
        if (_reading.IsCompleted)
        {
            answer.TrySetException(new IOException("the connection has ended"));
        }

        var reply = await answer.Task;
        return reply.Header.Status is FrameStatus.Error
            ? throw new WireRefusalException(RemoteError.Type.Decode(reply.Payload.Span))
            : reply;
    }

    /// <summary>Sends a frame as it is.</summary>
    public async Task SendAsync(Frame frame)
    {
        ArgumentNullException.ThrowIfNull(frame);
        var output = new ArrayBufferWriter<byte>();
        frame.Write(output);
        await SendAsync(output.WrittenMemory);
    }

    /// <summary>Sends bytes as they are.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        await _writing.WaitAsync();
        try
        {
            await _stream.WriteAsync(bytes);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>The next frame that answers no call.</summary>
    public async Task<Frame> ToldAsync(CancellationToken cancellation = default) => await _told.Reader.ReadAsync(cancellation);

    /// <summary>The next notice, which has to be of a kind.</summary>
    public async Task<T> ToldAsync<T>(Notice<T> notice, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(notice);
        var frame = await ToldAsync(cancellation);
        return frame.Header.Procedure == notice.Number
            ? notice.Body.Decode(frame.Payload.Span)
            : throw new InvalidDataException($"told of {frame.Header.Procedure} instead of {notice.Number}");
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _reading;
        await _stream.DisposeAsync();
        _writing.Dispose();
    }

    private async Task ReadAsync()
    {
        var input = PipeReader.Create(_stream);
        try
        {
            while (await Frame.ReadAsync(input) is { } frame)
            {
                if (frame.Header.Type is FrameType.Reply && _asked.TryRemove(frame.Header.Serial, out var asked))
                {
                    asked.SetResult(frame);
                }
                else
                {
                    _told.Writer.TryWrite(frame);
                }
            }
        }
        catch (Exception e) when (e is IOException or WireException or ObjectDisposedException)
        {
            // What was asked is not answered any more.
        }

        _told.Writer.TryComplete();
        foreach (var asked in _asked.Values)
        {
            asked.TrySetException(new IOException("the connection has ended"));
        }
    }
}
