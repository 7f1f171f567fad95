using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace Coppice.Libvirt.Wire;

/// <summary>One message of libvirt's protocol: its length, a header and a payload.</summary>
/// <param name="Header">What it is.</param>
/// <param name="Payload">What it says, in XDR, or raw where it is data of a stream.</param>
public sealed record Frame(FrameHeader Header, ReadOnlyMemory<byte> Payload)
{
    /// <summary>The longest frame in bytes, its length included (VIR_NET_MESSAGE_MAX).</summary>
    public const int Maximum = 32 << 20;

    private const int LengthBytes = 4;

    /// <summary>A connection that is handed over with it, behind it and beside the bytes; null for none. Whoever sends it disposes it.</summary>
    public Socket? Connection { get; init; }

    /// <summary>Reads the next one. A length is checked before anything is allocated or waited for.</summary>
    /// <param name="input">Where it comes from.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <returns>The frame; null if the peer has closed the connection between two.</returns>
    /// <exception cref="WireException">It is none, is too long, or the peer closed the connection in the middle of it.</exception>
    public static async Task<Frame?> ReadAsync(PipeReader input, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(input);
        while (true)
        {
            var read = await input.ReadAsync(cancellation).ConfigureAwait(false);
            var buffer = read.Buffer;
            if (TryTake(ref buffer, out var frame))
            {
                input.AdvanceTo(buffer.Start);
                return frame;
            }

            input.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
            {
                return buffer.IsEmpty ? null : throw new WireException($"the connection was closed {buffer.Length} bytes into a frame");
            }
        }
    }

    /// <summary>A frame that says what went wrong instead of what its header promises.</summary>
    public static Frame Failed(FrameHeader header, RemoteError error) =>
        new(header with { Status = FrameStatus.Error }, RemoteError.Type.Encode(error));

    /// <summary>An answer that hands a connection over. How many there are stands before what it says.</summary>
    public static Frame HandOver(FrameHeader header, ReadOnlyMemory<byte> payload, Socket connection) =>
        new(header with { Type = FrameType.ReplyWithFiles }, (byte[])[0, 0, 0, 1, .. payload.Span]) { Connection = connection };

    /// <summary>Writes it. Nothing is flushed, and a connection does not go with it.</summary>
    /// <param name="output">Where it goes.</param>
    /// <exception cref="WireException">It is too long.</exception>
    public void Write(IBufferWriter<byte> output)
    {
        var length = LengthBytes + FrameHeader.Length + Payload.Length;
        if (length > Maximum)
        {
            throw new WireException($"a frame of {length} bytes is longer than {Maximum}");
        }

        var writer = new XdrWriter(output);
        writer.Write(length);
        Header.Write(writer);
        output.Write(Payload.Span);
    }

    private static bool TryTake(ref ReadOnlySequence<byte> buffer, out Frame? frame)
    {
        frame = null;
        if (buffer.Length < LengthBytes)
        {
            return false;
        }

        Span<byte> head = stackalloc byte[LengthBytes + FrameHeader.Length];
        buffer.Slice(0, LengthBytes).CopyTo(head);
        var length = new XdrReader(head).ReadUInt32();
        if (length is < LengthBytes + FrameHeader.Length or > Maximum)
        {
            throw new WireException($"a frame cannot have {length} bytes");
        }

        if (buffer.Length < length)
        {
            return false;
        }

        buffer.Slice(0, head.Length).CopyTo(head);
        var reader = new XdrReader(head[LengthBytes..]);
        var header = FrameHeader.Read(ref reader);
        frame = new Frame(header, buffer.Slice(head.Length, length - head.Length).ToArray());
        buffer = buffer.Slice(length);
        return true;
    }
}
