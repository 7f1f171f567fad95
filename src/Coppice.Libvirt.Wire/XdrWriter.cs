using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Coppice.Libvirt.Wire;

/// <summary>Writes XDR (RFC 4506), the reverse of <see cref="XdrReader"/>.</summary>
/// <param name="output">What it is written to.</param>
public readonly struct XdrWriter(IBufferWriter<byte> output)
{
    private const int Unit = 4;

    /// <summary>An unsigned integer (4.2).</summary>
    public void Write(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(output.GetSpan(Unit), value);
        output.Advance(Unit);
    }

    /// <summary>An integer (4.1).</summary>
    public void Write(int value) => Write((uint)value);

    /// <summary>An unsigned hyper integer (4.5).</summary>
    public void Write(ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(output.GetSpan(2 * Unit), value);
        output.Advance(2 * Unit);
    }

    /// <summary>A hyper integer (4.5).</summary>
    public void Write(long value) => Write((ulong)value);

    /// <summary>A double (4.7).</summary>
    public void Write(double value) => Write(BitConverter.DoubleToUInt64Bits(value));

    /// <summary>A boolean (4.4), also before an optional value (4.19).</summary>
    public void Write(bool value) => Write(value ? 1u : 0u);

    /// <summary>Opaque data of a fixed length (4.9).</summary>
    public void WriteFixed(ReadOnlySpan<byte> value)
    {
        var padded = (value.Length + Unit - 1) / Unit * Unit;
        var span = output.GetSpan(padded)[..padded];
        value.CopyTo(span);
        span[value.Length..].Clear();
        output.Advance(padded);
    }

    /// <summary>Opaque data of a variable length (4.10).</summary>
    public void WriteOpaque(ReadOnlySpan<byte> value)
    {
        Write(value.Length);
        WriteFixed(value);
    }

    /// <summary>A string (4.11), in UTF-8.</summary>
    public void Write(string value) => WriteOpaque(Encoding.UTF8.GetBytes(value));

    /// <summary>A string that may be absent (4.19).</summary>
    public void WriteOptional(string? value)
    {
        Write(value is not null);
        if (value is not null)
        {
            Write(value);
        }
    }
}
