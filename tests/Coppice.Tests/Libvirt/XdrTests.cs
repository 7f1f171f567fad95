using System.Buffers;
using Coppice.Libvirt.Wire;

namespace Coppice.Tests.Libvirt;

/// <summary>XDR as RFC 4506 has it, and as libvirt's peers send it.</summary>
public sealed class XdrTests
{
    [Fact]
    public void Every_kind_of_value_has_the_bytes_of_the_RFC()
    {
        Assert.Equal("00000007", Hex(w => w.Write(7u)));
        Assert.Equal("FFFFFFFF", Hex(w => w.Write(-1)));
        Assert.Equal("0000000100000002", Hex(w => w.Write(0x1_0000_0002L)));
        Assert.Equal("FFFFFFFFFFFFFFFE", Hex(w => w.Write(ulong.MaxValue - 1)));
        Assert.Equal("3FF8000000000000", Hex(w => w.Write(1.5)));
        Assert.Equal("00000001", Hex(w => w.Write(true)));
        Assert.Equal("00000000", Hex(w => w.Write(false)));
        Assert.Equal("00000009" + "73696C6C792E7465" + "78000000", Hex(w => w.Write("silly.tex")));
        Assert.Equal("00000000", Hex(w => w.Write("")));
        Assert.Equal("01020300", Hex(w => w.WriteFixed([1, 2, 3])));
        Assert.Equal("0000000301020300", Hex(w => w.WriteOpaque([1, 2, 3])));
        Assert.Equal("00000001" + "00000001" + "61000000", Hex(w => w.WriteOptional("a")));
        Assert.Equal("00000000", Hex(w => w.WriteOptional(null)));
    }

    [Fact]
    public void A_domain_is_name_uuid_and_id()
    {
        var reader = new XdrReader(Convert.FromHexString("00000003" + "77656200" + "00112233445566778899AABBCCDDEEFF" + "FFFFFFFF"));
        Assert.Equal("web", reader.ReadString());
        Assert.Equal("00112233445566778899AABBCCDDEEFF", Convert.ToHexString(reader.ReadFixed(16)));
        Assert.Equal(-1, reader.ReadInt32());
        reader.RequireEnd();
    }

    [Theory]
    [InlineData("", "4 bytes are expected, and 0 are left")]
    [InlineData("00000005616263", "8 bytes are expected, and 3 are left")]
    [InlineData("FFFFFFFF", "4294967295 are more than the 4194304 that there may be")]
    [InlineData("0000000161000001", "padding is not zero")]
    [InlineData("00000002FF410000", "a string is not UTF-8")]
    [InlineData("0000000361006200", "a string has a zero byte in it")]
    public void A_string_that_is_none_is_refused(string bytes, string problem) =>
        Assert.Equal(problem, Refused(bytes, (ref XdrReader r) => r.ReadString()));

    [Fact]
    public void What_is_neither_true_nor_false_and_what_nobody_expects_is_refused()
    {
        Assert.Equal("2 is neither true nor false", Refused("00000002", (ref XdrReader r) => r.ReadBool()));
        Assert.Equal("4 bytes follow that nobody expects", Refused("0000000000000000", (ref XdrReader r) =>
        {
            r.ReadUInt32();
            r.RequireEnd();
        }));
    }

    [Fact]
    public void Items_that_cannot_be_there_are_refused_before_anybody_makes_room_for_them()
    {
        Assert.Equal("16384 items do not fit into 4 bytes", Refused("0000400000000000", (ref XdrReader r) => r.ReadItemCount(16_384)));
        Assert.Equal("16385 are more than the 16384 that there may be", Refused("00004001", (ref XdrReader r) => r.ReadItemCount(16_384)));
        var reader = new XdrReader(Convert.FromHexString("000000020000000000000000"));
        Assert.Equal(2, reader.ReadItemCount(16_384));
    }

    [Fact]
    public void What_is_written_is_read_again_whatever_it_is()
    {
        var random = new Random(6);
        for (var round = 0; round < 2000; round++)
        {
            var (number, large, text) = (random.Next(int.MinValue, int.MaxValue), random.NextInt64(), new string('ä', random.Next(40)));
            var bytes = new byte[random.Next(70)];
            random.NextBytes(bytes);
            var output = new ArrayBufferWriter<byte>();
            var writer = new XdrWriter(output);
            writer.Write(number);
            writer.WriteOpaque(bytes);
            writer.Write(large);
            writer.WriteOptional(text);
            writer.Write(number * 0.5);
            Assert.Equal(0, output.WrittenCount % 4);
            var reader = new XdrReader(output.WrittenSpan);
            Assert.Equal(number, reader.ReadInt32());
            Assert.Equal(bytes, reader.ReadOpaque(100).ToArray());
            Assert.Equal(large, reader.ReadInt64());
            Assert.Equal(text, reader.ReadOptionalString());
            Assert.Equal(number * 0.5, reader.ReadDouble());
            reader.RequireEnd();
        }
    }

    private delegate void Reading(ref XdrReader reader);

    private static string Refused(string hex, Reading read)
    {
        var bytes = Convert.FromHexString(hex);
        return Assert.Throws<WireException>(() =>
        {
            var reader = new XdrReader(bytes);
            read(ref reader);
        }).Message;
    }

    private static string Hex(Action<XdrWriter> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(new XdrWriter(output));
        return Convert.ToHexString(output.WrittenSpan);
    }
}
