using static Coppice.Libvirt.Wire.Xdr;

namespace Coppice.Libvirt.Wire;

/// <summary>A domain, as calls name it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Uuid">Its uuid, by which it is found.</param>
/// <param name="Id">A number while it is active; <see cref="Off"/> else.</param>
public sealed record RemoteDomain(string Name, Guid Uuid, int Id)
{
    /// <summary>The id of a domain that is off.</summary>
    public const int Off = -1;

    /// <summary>How it is laid out.</summary>
    public static XdrType<RemoteDomain> Type { get; } =
        Of(Text, Xdr.Uuid, Integer).As(d => new RemoteDomain(d.Item1, d.Item2, d.Item3), d => (d.Name, d.Uuid, d.Id));
}

/// <summary>A snapshot or checkpoint, as calls name it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Domain">The domain it is of.</param>
public sealed record RemoteSnapshot(string Name, RemoteDomain Domain)
{
    /// <summary>How it is laid out.</summary>
    public static XdrType<RemoteSnapshot> Type { get; } =
        Of(Text, RemoteDomain.Type).As(s => new RemoteSnapshot(s.Item1, s.Item2), s => (s.Name, s.Domain));
}

/// <summary>A network, storage pool or network filter, as calls name it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Uuid">Its uuid.</param>
public sealed record RemoteObject(string Name, Guid Uuid)
{
    /// <summary>How it is laid out.</summary>
    public static XdrType<RemoteObject> Type { get; } = Of(Text, Xdr.Uuid).As(o => new RemoteObject(o.Item1, o.Item2), o => (o.Name, o.Uuid));
}

/// <summary>What an answer with <see cref="FrameStatus.Error"/> says (remote_error).</summary>
/// <param name="Code">What went wrong (virErrorNumber).</param>
/// <param name="Domain">Which part of libvirt says so (virErrorDomain).</param>
/// <param name="Message">The same for people.</param>
/// <param name="Level">How bad it is (virErrorLevel).</param>
public sealed record RemoteError(int Code, int Domain, string? Message, int Level = RemoteError.Failure)
{
    /// <summary>The level of whatever made a call fail.</summary>
    public const int Failure = 2;

    // What follows names objects and parts of the message once more; clients show neither.
    private static readonly XdrType<(RemoteDomain?, (string?, string?, string?), (int, int), RemoteObject?)> s_details = Of(
        Optional(RemoteDomain.Type), Of(OptionalText, OptionalText, OptionalText), Of(Integer, Integer), Optional(RemoteObject.Type));

    /// <summary>How it is laid out.</summary>
    public static XdrType<RemoteError> Type { get; } = Of(Integer, Integer, OptionalText, Integer, s_details).As(
        e => new RemoteError(e.Item1, e.Item2, e.Item3, e.Item4),
        e => (e.Code, e.Domain, e.Message, e.Level, (null, (null, null, null), default, null)));
}

/// <summary>A named figure or text (virTypedParameter).</summary>
public sealed record TypedParameter
{
    /// <summary>How many a list may have, whatever it is of.</summary>
    public const int Most = 4096;

    private const int TypeInt = 1, TypeUInt = 2, TypeHyper = 3, TypeUHyper = 4, TypeDouble = 5, TypeTruth = 6, TypeText = 7;

    private TypedParameter(string field, object value) => (Field, Value) = (field, value);

    /// <summary>A figure.</summary>
    public TypedParameter(string field, int value)
        : this(field, (object)value)
    {
    }

    /// <summary>A figure that cannot be negative.</summary>
    public TypedParameter(string field, uint value)
        : this(field, (object)value)
    {
    }

    /// <summary>A large figure.</summary>
    public TypedParameter(string field, long value)
        : this(field, (object)value)
    {
    }

    /// <summary>A large figure that cannot be negative.</summary>
    public TypedParameter(string field, ulong value)
        : this(field, (object)value)
    {
    }

    /// <summary>A fraction.</summary>
    public TypedParameter(string field, double value)
        : this(field, (object)value)
    {
    }

    /// <summary>A truth value.</summary>
    public TypedParameter(string field, bool value)
        : this(field, (object)value)
    {
    }

    /// <summary>A text.</summary>
    public TypedParameter(string field, string value)
        : this(field, (object)value)
    {
    }

    /// <summary>Its name.</summary>
    public string Field { get; }

    /// <summary>An <c>int</c>, <c>uint</c>, <c>long</c>, <c>ulong</c>, <c>double</c>, <c>bool</c> or <c>string</c>.</summary>
    public object Value { get; }

    /// <summary>How it is laid out.</summary>
    public static XdrType<TypedParameter> Type { get; } = new(Read, (writer, parameter) => parameter.Write(writer));

    private static TypedParameter Read(ref XdrReader reader)
    {
        var field = reader.ReadString();
        return new TypedParameter(field, reader.ReadInt32() switch
        {
            TypeInt => reader.ReadInt32(),
            TypeUInt => reader.ReadUInt32(),
            TypeHyper => reader.ReadInt64(),
            TypeUHyper => reader.ReadUInt64(),
            TypeDouble => reader.ReadDouble(),
            TypeTruth => reader.ReadInt32() != 0,
            TypeText => (object)reader.ReadString(),
            var other => throw new WireException($"a parameter cannot be of type {other}"),
        });
    }

    private void Write(XdrWriter writer)
    {
        writer.Write(Field);
        switch (Value)
        {
            case int value:
                writer.Write(TypeInt);
                writer.Write(value);
                break;
            case uint value:
                writer.Write(TypeUInt);
                writer.Write(value);
                break;
            case long value:
                writer.Write(TypeHyper);
                writer.Write(value);
                break;
            case ulong value:
                writer.Write(TypeUHyper);
                writer.Write(value);
                break;
            case double value:
                writer.Write(TypeDouble);
                writer.Write(value);
                break;
            case bool value:
                writer.Write(TypeTruth);
                writer.Write(value ? 1 : 0);
                break;
            default:
                writer.Write(TypeText);
                writer.Write((string)Value);
                break;
        }
    }
}
