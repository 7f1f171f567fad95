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

    /// <summary>
    /// The records state every format and the block graph is spelled out, so a header may leave its parent's unsaid.
    /// </summary>
    public Images.RecordedLayer ToRecord() => new(Path, Format.ToImages())
    {
        ParentFormatDeclared = true,
        IsBlockDevice = Type is StorageType.Block,
    };
}

/// <summary>A raw image that holds nothing yet.</summary>
internal sealed record RawArguments(string Path, long SizeBytes);

/// <summary>An overlay that was made beforehand, with all that it builds on, top first, and the size of its disk.</summary>
internal sealed record AdoptArguments(ImmutableArray<ImageArguments> Chain, long VirtualSizeBytes);

/// <summary>A second name for a file.</summary>
internal sealed record LinkArguments(string File, string Name);

/// <summary>A copy of the memory in a file, or in the internal snapshot <paramref name="Tag"/> of an image.</summary>
internal sealed record MemoryCopyArguments(string Source, string? Tag, string Path);

/// <summary>An internal snapshot of an image.</summary>
internal sealed record InternalArguments(string Path, string Tag);

/// <summary>A new image with the content of an internal snapshot of another, both on the same parent.</summary>
internal sealed record CopyArguments(
    OverlayArguments Copy, InternalArguments Snapshot, string? ParentPath, StorageType ParentType);

/// <summary>The variables of a firmware, to be made from a raw template.</summary>
internal sealed record VariablesArguments(string Path, ImageFormat Format, string Template);

/// <summary>An image to make larger.</summary>
internal sealed record ResizeArguments(string Path, ImageFormat Format, long SizeBytes);

/// <summary>An image that another builds on.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Name">What the other one calls it.</param>
/// <param name="Format">Its format.</param>
internal sealed record BackingArguments(string Path, string Name, ImageFormat Format);

/// <summary>An image that is to build on another file with the same content.</summary>
internal sealed record RelinkArguments(string Path, BackingArguments From, BackingArguments To);

/// <summary>An image with clusters that nothing uses.</summary>
internal sealed record LeakArguments(string Path);

internal sealed record RemoveArguments(string Path);

internal sealed record FolderArguments(string Path);

/// <summary>A folder, and the name that it gets.</summary>
internal sealed record PublishArguments(string Path, string Name);

internal sealed record WriteArguments(string Path, string Content);

[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(OverlayArguments))]
[JsonSerializable(typeof(RawArguments))]
[JsonSerializable(typeof(AdoptArguments))]
[JsonSerializable(typeof(InternalArguments))]
[JsonSerializable(typeof(CopyArguments))]
[JsonSerializable(typeof(VariablesArguments))]
[JsonSerializable(typeof(ResizeArguments))]
[JsonSerializable(typeof(RelinkArguments))]
[JsonSerializable(typeof(LeakArguments))]
[JsonSerializable(typeof(LinkArguments))]
[JsonSerializable(typeof(MemoryCopyArguments))]
[JsonSerializable(typeof(RemoveArguments))]
[JsonSerializable(typeof(FolderArguments))]
[JsonSerializable(typeof(PublishArguments))]
[JsonSerializable(typeof(RoomClaim))]
[JsonSerializable(typeof(FileToCopy))]
[JsonSerializable(typeof(ImageToCopy))]
[JsonSerializable(typeof(WriteArguments))]
internal sealed partial class StorageJson : JsonSerializerContext;
