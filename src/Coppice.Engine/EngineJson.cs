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
[JsonSerializable(typeof(JournalHeader))]
[JsonSerializable(typeof(JournalEntry))]
internal sealed partial class EngineContext : JsonSerializerContext;

/// <summary>Reads nothing but the version of a document, whatever else it has.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(VersionDocument))]
internal sealed partial class VersionJson : JsonSerializerContext;
