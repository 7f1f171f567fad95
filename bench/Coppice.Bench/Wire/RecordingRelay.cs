using System.Buffers;
using System.Collections.Concurrent;
using System.Net.Sockets;
using Coppice.Libvirt.Wire;

namespace Coppice.Bench.Wire;

/// <summary>Stands between clients and a server, and records what is asked and answered.</summary>
internal sealed class RecordingRelay(string path, string server, CallRecording recording) : WireServer(path)
{
    protected override async Task ServeAsync(NetworkStream client, CancellationToken stopping)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(server), stopping);
        await using var upstream = new NetworkStream(socket, ownsSocket: true);
        var asked = new ConcurrentDictionary<uint, Frame>();
        var answering = AnswerAsync(upstream, client, asked, stopping);
        var buffer = new ArrayBufferWriter<byte>();
        await ForEachAsync(client, async call =>
        {
            asked[call.Header.Serial] = call;
            await SendAsync(upstream, buffer, call, stopping);
        }, stopping);

        // It has heard all that it wanted to.
        socket.Shutdown(SocketShutdown.Both);
        await answering;
    }

    private async Task AnswerAsync(NetworkStream upstream, NetworkStream client, ConcurrentDictionary<uint, Frame> asked, CancellationToken stopping)
    {
        var buffer = new ArrayBufferWriter<byte>();
        await ForEachAsync(upstream, async answer =>
        {
            if (answer.Header.Type is FrameType.Reply && asked.TryRemove(answer.Header.Serial, out var call))
            {
                recording.Add(call, answer);
            }

            await SendAsync(client, buffer, answer, stopping);
        }, stopping);
    }
}
