using System.Buffers;
using System.Net.Sockets;
using Coppice.Libvirt.Wire;

namespace Coppice.Bench.Wire;

/// <summary>
/// Answers from memory what another server answered: the floor below which nobody gets who speaks the protocol in this runtime, one
/// call after another.
/// </summary>
internal sealed class FloorServer(string path, CallRecording recording) : WireServer(path)
{
    /// <summary>What was asked that nobody had asked the other server.</summary>
    public string? Unknown { get; private set; }

    protected override Task ServeAsync(NetworkStream client, CancellationToken stopping)
    {
        var buffer = new ArrayBufferWriter<byte>();
        return ForEachAsync(client, call => SendAsync(client, buffer, Answer(call), stopping), stopping);
    }

    private Frame Answer(Frame call)
    {
        if (call.Header.Program is Programs.KeepAlive)
        {
            return call with { Header = call.Header with { Procedure = KeepAlive.Pong } };
        }

        if (recording.Find(call) is { } answer)
        {
            return answer;
        }

        Unknown = $"procedure {call.Header.Procedure} of program {call.Header.Program:x8}";
        return Frame.Failed(call.Header with { Type = FrameType.Reply }, new RemoteError(1, 7, $"nobody has asked {Unknown}"));
    }
}
