using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Coppice.Engine;

/// <summary>What the engine stores, and how strictly it reads it: every property must be there and none may be unknown.</summary>
internal static class EngineJson
{
    private static readonly JsonSerializerOptions s_lines = Strict(indented: false);
    private static readonly JsonSerializerOptions s_documents = Strict(indented: true);

    /// <summary>Several lines, for people.</summary>
    public static JsonTypeInfo<T> Document<T>() => (JsonTypeInfo<T>)s_documents.GetTypeInfo(typeof(T));

    /// <summary>One line.</summary>
    public static JsonTypeInfo<T> Line<T>() => (JsonTypeInfo<T>)s_lines.GetTypeInfo(typeof(T));

    /// <summary>The version of a document, whatever else it has. Reads no further: it is what we write first.</summary>
    /// <exception cref="JsonException">It has none.</exception>
    public static int Version(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is not JsonTokenType.PropertyName)
            {
                continue;
            }

            if (reader.ValueTextEquals("version"u8))
            {
                reader.Read();
                return reader.TokenType is JsonTokenType.Number && reader.TryGetInt32(out var version)
                    ? version
                    : throw new JsonException("its version is no number");
            }

            reader.Skip();
        }

        throw new JsonException("it does not say which version it is");
    }

    private static JsonSerializerOptions Strict(bool indented) => new(EngineContext.Default.Options)
    {
        WriteIndented = indented,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        TypeInfoResolver = EngineContext.Default.WithAddedModifier(RequireAll),
    };

    private static void RequireAll(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
        {
            property.IsRequired |= property.Set is not null;
        }
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(RootDocument))]
[JsonSerializable(typeof(RecordDocument))]
[JsonSerializable(typeof(ChecksumDocument))]
[JsonSerializable(typeof(JournalHeader))]
[JsonSerializable(typeof(JournalEntry))]
internal sealed partial class EngineContext : JsonSerializerContext;

/// <summary>Reads a few properties of a document, whatever else it has.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(RootFront))]
internal sealed partial class FrontJson : JsonSerializerContext;
