using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Storage;

/// <summary>An empty qcow2 image at <paramref name="Path"/> on the image that it names <paramref name="BackingName"/>.</summary>
internal sealed record OverlayArguments(
    string Path, string BackingName, ImageFormat BackingFormat, long VirtualSizeBytes);

internal sealed record RemoveArguments(string Path);

internal sealed record WriteArguments(string Path, string Content);

[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(OverlayArguments))]
[JsonSerializable(typeof(RemoveArguments))]
[JsonSerializable(typeof(WriteArguments))]
internal sealed partial class StorageJson : JsonSerializerContext;
