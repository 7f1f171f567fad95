using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Coppice.Libvirt.Wire;

namespace Coppice.Bench.Wire;

/// <summary>Listens for libvirt's clients, one connection after another.</summary>
internal abstract class WireServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Socket _listening = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Task _serving;

    protected WireServer(string path)
    {
        _listening.Bind(new UnixDomainSocketEndPoint(path));
        _listening.Listen();
        _serving = Task.Run(RunAsync);
    }

    public virtual async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listening.Dispose();
        await _serving;
        _stopping.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Serves a connection until either side ends it.</summary>
    protected abstract Task ServeAsync(NetworkStream client, CancellationToken stopping);

    /// <summary>Takes what comes, frame by frame, until the peer ends the connection.</summary>
    protected static async Task ForEachAsync(NetworkStream stream, Func<Frame, Task> take, CancellationToken stopping)
    {
        var input = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));
        while (await Frame.ReadAsync(input, stopping) is { } frame)
        {
            await take(frame);
        }
    }

    protected static async Task SendAsync(NetworkStream stream, ArrayBufferWriter<byte> buffer, Frame frame, CancellationToken stopping)
    {
        buffer.ResetWrittenCount();
        frame.Write(buffer);
        await stream.WriteAsync(buffer.WrittenMemory, stopping);
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                await using var client = new NetworkStream(await _listening.AcceptAsync(_stopping.Token), ownsSocket: true);
                await ServeAsync(client, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // That is how it ends.
            return;
        }
    }
}
