using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Coppice.Core;

/// <summary>The uuid of a domain.</summary>
[JsonConverter(typeof(IdentifierConverter<DomainId>))]
public readonly record struct DomainId(Guid Value) : IIdentifier<DomainId>
{
    /// <inheritdoc/>
    public static DomainId Parse(string text) => new(Guid.ParseExact(text, "D"));

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("D");
}

/// <summary>The uuid of a snapshot; unique for ever, while its name may change (R39).</summary>
[JsonConverter(typeof(IdentifierConverter<SnapshotId>))]
public readonly record struct SnapshotId(Guid Value) : IIdentifier<SnapshotId>
{
    /// <inheritdoc/>
    public static SnapshotId Parse(string text) => new(Guid.ParseExact(text, "D"));

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("D");
}

/// <summary>The short id of an operation, a layer, a tip, a stored definition or a process: eight or more hex digits.</summary>
[JsonConverter(typeof(IdentifierConverter<ShortId>))]
public readonly record struct ShortId(string Value) : IIdentifier<ShortId>
{
    /// <inheritdoc/>
    public static ShortId Parse(string text) =>
        text.Length is >= 8 and <= 32 && text.All(char.IsAsciiHexDigitLower)
            ? new(text)
            : throw new FormatException($"'{text}' is not a short id");

    /// <inheritdoc/>
    public override string ToString() => Value;
}

/// <summary>An identifier that is stored as one string.</summary>
public interface IIdentifier<TSelf>
    where TSelf : struct, IIdentifier<TSelf>
{
    /// <summary>Reads what <see cref="object.ToString"/> wrote.</summary>
    /// <exception cref="FormatException">The text is not such an identifier.</exception>
    static abstract TSelf Parse(string text);
}

/// <summary>A number of bytes.</summary>
public readonly record struct ByteCount(long Bytes)
{
    /// <summary>The sum of two counts.</summary>
    public static ByteCount operator +(ByteCount left, ByteCount right) => new(checked(left.Bytes + right.Bytes));

    /// <summary>The sum of two counts.</summary>
    public static ByteCount Add(ByteCount left, ByteCount right) => left + right;

    /// <summary>For people: <c>1.5 GiB</c>.</summary>
    public override string ToString()
    {
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB"];
        double value = Bytes;
        var unit = 0;
        while (value >= 1024 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {units[unit]}");
    }
}

/// <summary>Stores an identifier as a JSON string, also as a property name.</summary>
public sealed class IdentifierConverter<T> : JsonConverter<T>
    where T : struct, IIdentifier<T>
{
    /// <inheritdoc/>
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return T.Parse(reader.GetString() ?? "");
        }
        catch (FormatException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());

    /// <inheritdoc/>
    public override T ReadAsPropertyName(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        Read(ref reader, typeToConvert, options);

    /// <inheritdoc/>
    public override void WriteAsPropertyName(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WritePropertyName(value.ToString()!);
}
