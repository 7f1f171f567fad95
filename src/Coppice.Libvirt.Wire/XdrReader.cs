using System.Buffers.Binary;
using System.Text;

namespace Coppice.Libvirt.Wire;

/// <summary>
/// Reads XDR (RFC 4506) out of bytes that a peer sent. Every length is checked against its limit, and against what is there, before
/// anything is allocated.
/// </summary>
/// <param name="bytes">The payload of a frame.</param>
public ref struct XdrReader(ReadOnlySpan<byte> bytes)
{
    /// <summary>The longest string of libvirt's protocol, in bytes (REMOTE_STRING_MAX).</summary>
    public const int MaximumString = 4 << 20;

    private const int Unit = 4;

    private static readonly UTF8Encoding s_text = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private ReadOnlySpan<byte> _left = bytes;

    /// <summary>How many bytes have not been read.</summary>
    public readonly int Left => _left.Length;

    /// <summary>An unsigned integer (RFC 4506, 4.2).</summary>
    /// <exception cref="WireException">There are too few bytes.</exception>
    public uint ReadUInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(Unit));

    /// <summary>An integer (4.1).</summary>
    /// <exception cref="WireException">There are too few bytes.</exception>
    public int ReadInt32() => BinaryPrimitives.ReadInt32BigEndian(Take(Unit));

    /// <summary>An unsigned hyper integer (4.5).</summary>
    /// <exception cref="WireException">There are too few bytes.</exception>
    public ulong ReadUInt64() => BinaryPrimitives.ReadUInt64BigEndian(Take(2 * Unit));

    /// <summary>A hyper integer (4.5).</summary>
    /// <exception cref="WireException">There are too few bytes.</exception>
    public long ReadInt64() => BinaryPrimitives.ReadInt64BigEndian(Take(2 * Unit));

    /// <summary>A double (4.7).</summary>
    /// <exception cref="WireException">There are too few bytes.</exception>
    public double ReadDouble() => BinaryPrimitives.ReadDoubleBigEndian(Take(2 * Unit));

    /// <summary>A boolean (4.4): 0 or 1, and nothing else. Also what stands before an optional value (4.19).</summary>
    /// <exception cref="WireException">It is something else, or there are too few bytes.</exception>
    public bool ReadBool() => ReadUInt32() switch
    {
        0 => false,
        1 => true,
        var other => throw new WireException($"{other} is neither true nor false"),
    };

    /// <summary>Opaque data of a fixed length (4.9), such as a uuid.</summary>
    /// <param name="length">How long it is, in bytes.</param>
    /// <exception cref="WireException">There are too few bytes, or what fills the last unit is not zero.</exception>
    public ReadOnlySpan<byte> ReadFixed(int length)
    {
        var padded = Take((length + Unit - 1) / Unit * Unit);
        return padded[length..].ContainsAnyExcept((byte)0) ? throw new WireException("padding is not zero") : padded[..length];
    }

    /// <summary>Opaque data of a variable length (4.10).</summary>
    /// <param name="most">How many bytes it may have.</param>
    /// <exception cref="WireException">It is longer, or there are too few bytes.</exception>
    public ReadOnlySpan<byte> ReadOpaque(int most) => ReadFixed(ReadCount(most));

    /// <summary>A string (4.11), as libvirt has them: UTF-8, without a zero byte.</summary>
    /// <param name="most">How many bytes it may have.</param>
    /// <exception cref="WireException">It is longer, is none, or there are too few bytes.</exception>
    public string ReadString(int most = MaximumString)
    {
        var text = ReadOpaque(most);
        try
        {
            return text.Contains((byte)0) ? throw new WireException("a string has a zero byte in it") : s_text.GetString(text);
        }
        catch (DecoderFallbackException e)
        {
            throw new WireException("a string is not UTF-8", e);
        }
    }

    /// <summary>A string that may be absent (4.19).</summary>
    /// <param name="most">How many bytes it may have.</param>
    /// <exception cref="WireException">As for <see cref="ReadString"/>.</exception>
    public string? ReadOptionalString(int most = MaximumString) => ReadBool() ? ReadString(most) : null;

    /// <summary>How many items follow (4.13). Whoever allocates for them can rely on it: each takes a unit at least.</summary>
    /// <param name="most">How many there may be.</param>
    /// <exception cref="WireException">There are more, or there are too few bytes for so many.</exception>
    public int ReadItemCount(int most)
    {
        var count = ReadCount(most);
        return count <= Left / Unit ? count : throw new WireException($"{count} items do not fit into {Left} bytes");
    }

    /// <summary>Refuses what stands behind the last value.</summary>
    /// <exception cref="WireException">There is something.</exception>
    public readonly void RequireEnd()
    {
        if (Left > 0)
        {
            throw new WireException($"{Left} bytes follow that nobody expects");
        }
    }

    private int ReadCount(int most) => ReadUInt32() is var count && count <= (uint)most
        ? (int)count
        : throw new WireException($"{count} are more than the {most} that there may be");

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _left.Length)
        {
            throw new WireException($"{length} bytes are expected, and {_left.Length} are left");
        }

        var taken = _left[..length];
        _left = _left[length..];
        return taken;
    }
}
