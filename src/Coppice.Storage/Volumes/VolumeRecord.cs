using System.Text.Json;
using System.Text.Json.Serialization;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage.Volumes;

/// <summary>What the memory volume of a home lies in.</summary>
internal enum VolumeKind
{
    /// <summary>A file with a file system of its own.</summary>
    File,

    /// <summary>The same, in the host's memory.</summary>
    Volatile,

    /// <summary>A folder of a file system that the user has.</summary>
    Folder,
}

/// <summary>What a home keeps on record of its memory volume, so that it can be mounted again.</summary>
/// <param name="Version">Of this record; another one is refused.</param>
/// <param name="Kind">What it lies in.</param>
/// <param name="Path">That file or folder.</param>
/// <param name="Bytes">How large the file is; 0 of a folder.</param>
internal sealed record VolumeRecord(int Version, VolumeKind Kind, string Path, long Bytes)
{
    private const int CurrentVersion = 1;
    private const int MaximumBytes = 16 << 10;

    public static VolumeRecord Of(VolumeKind kind, string path, long bytes) => new(CurrentVersion, kind, path, bytes);

    /// <summary>Reads it; null if the home has no memory volume.</summary>
    /// <exception cref="CoppiceException">It cannot be understood (<see cref="ErrorKind.Damaged"/>).</exception>
    public static VolumeRecord? Read(HomeFolder home)
    {
        try
        {
            var record = JsonSerializer.Deserialize(DurableFile.ReadBounded(home.VolumeRecord, MaximumBytes), VolumeJson.Default.VolumeRecord);
            return record is { Version: CurrentVersion } ? record : throw Damaged(home, $"has version {record?.Version}, which this Coppice does not know");
        }
        catch (FileException e) when (e.IsMissing)
        {
            return null;
        }
        catch (JsonException e)
        {
            throw Damaged(home, $"is not what Coppice writes: {e.Message}");
        }
    }

    /// <summary>Writes it, durable.</summary>
    public Task WriteAsync(HomeFolder home, CancellationToken cancellation) =>
        DurableFile.ReplaceAsync(home.VolumeRecord, JsonSerializer.SerializeToUtf8Bytes(this, VolumeJson.Default.VolumeRecord), cancellation);

    private static CoppiceException Damaged(HomeFolder home, string problem) => new(
        ErrorKind.Damaged, $"record {home.VolumeRecord}", problem, "restore it from a backup, or use the Coppice that wrote it");
}

/// <summary>The shape of the record.</summary>
[JsonSourceGenerationOptions(
    UseStringEnumConverter = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(VolumeRecord))]
internal sealed partial class VolumeJson : JsonSerializerContext;
