using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Coppice.Core;

namespace Coppice.Storage;

/// <summary>
/// An empty qcow2 image at <paramref name="Path"/> on the image that it names <paramref name="BackingName"/>; on none if null.
/// </summary>
internal sealed record OverlayArguments(
    string Path, string? BackingName, ImageFormat BackingFormat, long VirtualSizeBytes);

/// <summary>An image as our records have it.</summary>
internal sealed record ImageArguments(string Path, ImageFormat Format, StorageType Type)
{
    public static ImageArguments Of(Layer layer) => new(layer.Path, layer.Format, layer.Type);

    /// <summary>The records state every format and the block graph is spelled out, so a header may leave its parent's unsaid.</summary>
    public Images.RecordedLayer ToRecord() => new(Path, Format.ToImages())
    {
        ParentFormatDeclared = true,
        IsBlockDevice = Type is StorageType.Block,
    };
}

/// <summary>An overlay that was made beforehand, with all that it builds on, top first, and the size of its disk.</summary>
internal sealed record AdoptArguments(ImmutableArray<ImageArguments> Chain, long VirtualSizeBytes);

/// <summary>An internal snapshot of an image.</summary>
internal sealed record InternalArguments(string Path, string Tag);

/// <summary>A new image with the content of an internal snapshot of another, both on the same parent.</summary>
internal sealed record CopyArguments(
    OverlayArguments Copy, InternalArguments Snapshot, string? ParentPath, StorageType ParentType);

/// <summary>The variables of a firmware, to be made from a raw template.</summary>
internal sealed record VariablesArguments(string Path, ImageFormat Format, string Template);

/// <summary>An image to make larger.</summary>
internal sealed record ResizeArguments(string Path, ImageFormat Format, long SizeBytes);

internal sealed record RemoveArguments(string Path);

internal sealed record WriteArguments(string Path, string Content);

[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(OverlayArguments))]
[JsonSerializable(typeof(AdoptArguments))]
[JsonSerializable(typeof(InternalArguments))]
[JsonSerializable(typeof(CopyArguments))]
[JsonSerializable(typeof(VariablesArguments))]
[JsonSerializable(typeof(ResizeArguments))]
[JsonSerializable(typeof(RemoveArguments))]
[JsonSerializable(typeof(WriteArguments))]
internal sealed partial class StorageJson : JsonSerializerContext;
