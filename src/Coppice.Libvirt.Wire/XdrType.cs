using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Coppice.Libvirt.Wire;

/// <summary>Reads a value.</summary>
/// <exception cref="WireException">There is none.</exception>
public delegate T XdrReading<out T>(ref XdrReader reader);

/// <summary>How values of a type are laid out in XDR. Larger ones are made of smaller ones (<see cref="Xdr"/>).</summary>
/// <param name="Read">Reads one.</param>
/// <param name="Write">Writes one.</param>
public sealed record XdrType<T>(XdrReading<T> Read, Action<XdrWriter, T> Write)
{
    /// <summary>Reads a payload that is one value and nothing else.</summary>
    /// <exception cref="WireException">It is something else.</exception>
    public T Decode(ReadOnlySpan<byte> payload)
    {
        var reader = new XdrReader(payload);
        var value = Read(ref reader);
        reader.RequireEnd();
        return value;
    }

    /// <summary>The payload that is this value.</summary>
    public ReadOnlyMemory<byte> Encode(T value)
    {
        var output = new ArrayBufferWriter<byte>();
        Write(new XdrWriter(output), value);
        return output.WrittenMemory;
    }

    /// <summary>The same layout for another type.</summary>
    /// <param name="to">Makes one of what was read; what it throws is thrown.</param>
    /// <param name="from">What is written for one.</param>
    public XdrType<TOther> As<TOther>(Func<T, TOther> to, Func<TOther, T> from)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(from);
        return new((ref XdrReader reader) => to(Read(ref reader)), (writer, value) => Write(writer, from(value)));
    }
}

/// <summary>The layouts of which all others are made (RFC 4506).</summary>
[SuppressMessage("Naming", "CA1720", Justification = "These are the words of RFC 4506.")]
public static class Xdr
{
    private const int UuidBytes = 16;

    /// <summary>No bytes at all.</summary>
    public static XdrType<ValueTuple> Nothing { get; } = new((ref _) => default, (_, _) => { });

    /// <summary>An integer; also what libvirt declares as <c>char</c> or <c>short</c>.</summary>
    public static XdrType<int> Integer { get; } = new((ref r) => r.ReadInt32(), (w, value) => w.Write(value));

    /// <summary>An unsigned integer.</summary>
    public static XdrType<uint> Unsigned { get; } = new((ref r) => r.ReadUInt32(), (w, value) => w.Write(value));

    /// <summary>A hyper integer.</summary>
    public static XdrType<long> Hyper { get; } = new((ref r) => r.ReadInt64(), (w, value) => w.Write(value));

    /// <summary>An unsigned hyper integer.</summary>
    public static XdrType<ulong> UnsignedHyper { get; } = new((ref r) => r.ReadUInt64(), (w, value) => w.Write(value));

    /// <summary>An integer that libvirt uses as a truth value: anything but 0 is true.</summary>
    public static XdrType<bool> Truth { get; } = new((ref r) => r.ReadInt32() != 0, (w, value) => w.Write(value ? 1 : 0));

    /// <summary>A string.</summary>
    public static XdrType<string> Text { get; } = new((ref r) => r.ReadString(), (w, value) => w.Write(value));

    /// <summary>A string that may be absent.</summary>
    public static XdrType<string?> OptionalText { get; } = new((ref r) => r.ReadOptionalString(), (w, value) => w.WriteOptional(value));

    /// <summary>A uuid, 16 bytes in the order in which it is printed.</summary>
    public static XdrType<Guid> Uuid { get; } = new(
        (ref r) => new Guid(r.ReadFixed(UuidBytes), bigEndian: true), (w, value) => w.WriteFixed(value.ToByteArray(bigEndian: true)));

    /// <summary>Bytes.</summary>
    /// <param name="most">How many there may be.</param>
    public static XdrType<ImmutableArray<byte>> Opaque(int most) =>
        new((ref r) => [.. r.ReadOpaque(most)], (w, value) => w.WriteOpaque(value.AsSpan()));

    /// <summary>A text in a field of a fixed length, each byte in a unit of its own as XDR has arrays of <c>char</c>; zeros fill it.</summary>
    /// <param name="length">The length of the field, with a zero at its end.</param>
    public static XdrType<string> Characters(int length) => new(
        (ref r) =>
        {
            var text = new char[length];
            for (var i = 0; i < length; i++)
            {
                text[i] = (char)(r.ReadInt32() & 0xFF);
            }

            return new string(text).TrimEnd('\0');
        },
        (w, value) =>
        {
            for (var i = 0; i < length; i++)
            {
                w.Write(i < value.Length && i < length - 1 ? value[i] & 0x7F : 0);
            }
        });

    /// <summary>A value that may be absent.</summary>
    public static XdrType<T?> Optional<T>(XdrType<T> of)
        where T : class => new(
        (ref r) => r.ReadBool() ? of.Read(ref r) : null,
        (w, value) =>
        {
            w.Write(value is not null);
            if (value is not null)
            {
                of.Write(w, value);
            }
        });

    /// <summary>Several values.</summary>
    /// <param name="of">What each is.</param>
    /// <param name="most">How many there may be.</param>
    public static XdrType<ImmutableArray<T>> List<T>(XdrType<T> of, int most) => new(
        (ref r) =>
        {
            var items = ImmutableArray.CreateBuilder<T>(r.ReadItemCount(most));
            for (var left = items.Capacity; left > 0; left--)
            {
                items.Add(of.Read(ref r));
            }

            return items.MoveToImmutable();
        },
        (w, value) =>
        {
            w.Write(value.Length);
            foreach (var item in value)
            {
                of.Write(w, item);
            }
        });

    /// <summary>Two values, one after the other.</summary>
    public static XdrType<(T1, T2)> Of<T1, T2>(XdrType<T1> first, XdrType<T2> second) => new(
        (ref r) => (first.Read(ref r), second.Read(ref r)),
        (w, value) =>
        {
            first.Write(w, value.Item1);
            second.Write(w, value.Item2);
        });

    /// <summary>Three values.</summary>
    public static XdrType<(T1, T2, T3)> Of<T1, T2, T3>(XdrType<T1> first, XdrType<T2> second, XdrType<T3> third) => new(
        (ref r) => (first.Read(ref r), second.Read(ref r), third.Read(ref r)),
        (w, value) =>
        {
            first.Write(w, value.Item1);
            second.Write(w, value.Item2);
            third.Write(w, value.Item3);
        });

    /// <summary>Four values.</summary>
    public static XdrType<(T1, T2, T3, T4)> Of<T1, T2, T3, T4>(
        XdrType<T1> first, XdrType<T2> second, XdrType<T3> third, XdrType<T4> fourth) => new(
        (ref r) => (first.Read(ref r), second.Read(ref r), third.Read(ref r), fourth.Read(ref r)),
        (w, value) =>
        {
            first.Write(w, value.Item1);
            second.Write(w, value.Item2);
            third.Write(w, value.Item3);
            fourth.Write(w, value.Item4);
        });

    /// <summary>Five values.</summary>
    public static XdrType<(T1, T2, T3, T4, T5)> Of<T1, T2, T3, T4, T5>(
        XdrType<T1> first, XdrType<T2> second, XdrType<T3> third, XdrType<T4> fourth, XdrType<T5> fifth) => new(
        (ref r) => (first.Read(ref r), second.Read(ref r), third.Read(ref r), fourth.Read(ref r), fifth.Read(ref r)),
        (w, value) =>
        {
            first.Write(w, value.Item1);
            second.Write(w, value.Item2);
            third.Write(w, value.Item3);
            fourth.Write(w, value.Item4);
            fifth.Write(w, value.Item5);
        });
}
