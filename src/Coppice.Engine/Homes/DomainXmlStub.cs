using System.Text.Json;
using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Engine;

// Stands in until the reader of libvirt's XML is in Coppice.Core; then this file goes.
internal static class DomainXml
{
    public static DomainDefinition Parse(string text) => JsonSerializer.Deserialize(text, StubJson.Default.DomainDefinition)!;

    public static string Format(DomainDefinition definition) => JsonSerializer.Serialize(definition, StubJson.Default.DomainDefinition);
}

[JsonSerializable(typeof(DomainDefinition))]
internal sealed partial class StubJson : JsonSerializerContext;
