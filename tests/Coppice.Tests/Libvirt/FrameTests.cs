using System.Buffers;
using System.IO.Pipelines;
using Coppice.Libvirt.Wire;

namespace Coppice.Tests.Libvirt;

/// <summary>Frames as virsh sends them, whole, in pieces, and broken.</summary>
public sealed class FrameTests
{
    // AUTH_LIST, the first thing that virsh asks.
    private const string AuthList = "0000001C" + "20008086" + "00000001" + "00000042" + "00000000" + "00000000" + "00000000";

    private const long MostAllocated = 1 << 20;

    private static readonly FrameHeader s_call = new(0x20008086, 1, 66, FrameType.Call, 0, FrameStatus.Ok);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_first_call_of_virsh_is_read_and_written_byte_for_byte()
    {
        var frame = await ReadAsync(Convert.FromHexString(AuthList));
        Assert.Equal((s_call, 0), (frame!.Header, frame.Payload.Length));
        Assert.Equal(AuthList, Convert.ToHexString(Bytes(frame)));
    }

    [Fact]
    public async Task Frames_that_come_in_pieces_are_read_one_by_one_until_the_peer_closes()
    {
        Frame[] sent =
        [
            .. Enumerable.Range(0, 20).Select(i => new Frame(
                s_call with { Serial = (uint)i, Type = (FrameType)(i % 7), Status = (FrameStatus)(i % 3) }, new byte[i * 7])),
        ];
        var bytes = sent.SelectMany(Bytes).ToArray();
        var pipe = new Pipe();
        var writing = Task.Run(
            async () =>
            {
                var random = new Random(1);
                for (int at = 0, size; at < bytes.Length; at += size)
                {
                    size = Math.Min(random.Next(1, 9), bytes.Length - at);
                    await pipe.Writer.WriteAsync(bytes.AsMemory(at, size), Cancellation);
                }

                await pipe.Writer.CompleteAsync();
            },
            Cancellation);
        foreach (var one in sent)
        {
            var frame = await Frame.ReadAsync(pipe.Reader, Cancellation);
            Assert.Equal((one.Header, one.Payload.Length), (frame!.Header, frame.Payload.Length));
        }

        Assert.Null(await Frame.ReadAsync(pipe.Reader, Cancellation));
        await writing;
    }

    [Theory]
    [InlineData("0000001B", "a frame cannot have 27 bytes")]
    [InlineData("02000001", "a frame cannot have 33554433 bytes")]
    [InlineData("FFFFFFFF", "a frame cannot have 4294967295 bytes")]
    [InlineData("0000001C2000", "the connection was closed 6 bytes into a frame")]
    [InlineData("0000001C" + "20008086" + "00000001" + "00000042" + "00000007" + "00000000" + "00000000", "type 7 with status 0 is no frame")]
    [InlineData("0000001C" + "20008086" + "00000001" + "00000042" + "00000000" + "00000000" + "FFFFFFFF", "type 0 with status -1 is no frame")]
    public async Task What_is_no_frame_is_refused(string bytes, string problem) =>
        Assert.Equal(problem, (await Assert.ThrowsAsync<WireException>(() => ReadAsync(Convert.FromHexString(bytes)))).Message);

    [Fact]
    public void One_that_is_too_long_is_not_written()
    {
        var frame = new Frame(s_call, new byte[Frame.Maximum - FrameHeader.Length - 3]);
        Assert.Throws<WireException>(() => frame.Write(new ArrayBufferWriter<byte>()));
    }

    [Fact]
    public async Task Whatever_is_changed_in_a_frame_it_is_read_or_refused_and_no_more_is_allocated_than_it_has()
    {
        var random = new Random(7);
        var good = Bytes(new Frame(s_call, Convert.FromHexString("00000001" + "0000000E" + "71656D753A2F2F2F73797374656D0000" + "00000000")));
        for (var round = 0; round < 5000; round++)
        {
            var bytes = good.AsSpan(0, random.Next(good.Length + 1)).ToArray();
            for (var change = random.Next(4); change > 0 && bytes.Length > 0; change--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                if (await ReadAsync(bytes) is { } frame)
                {
                    ReadOpen(frame);
                }
            }
            catch (WireException)
            {
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostAllocated);
        }
    }

    /// <summary>What OPEN asks for: the name of a connection, and flags.</summary>
    private static void ReadOpen(Frame frame)
    {
        var reader = new XdrReader(frame.Payload.Span);
        reader.ReadOptionalString();
        reader.ReadUInt32();
        reader.RequireEnd();
    }

    private static async Task<Frame?> ReadAsync(byte[] bytes) =>
        await Frame.ReadAsync(PipeReader.Create(new ReadOnlySequence<byte>(bytes)), Cancellation);

    private static byte[] Bytes(Frame frame)
    {
        var output = new ArrayBufferWriter<byte>();
        frame.Write(output);
        return output.WrittenSpan.ToArray();
    }
}
