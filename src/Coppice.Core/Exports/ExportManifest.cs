using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Coppice.Core;

/// <summary>
/// What an exported domain is: the part of a catalog that is carried, with names in the folder instead of paths. Whoever reads one is
/// to believe nothing of it (<see cref="ManifestRules"/>).
/// </summary>
public sealed record ExportManifest
{
    /// <summary>The version of the format; another one is refused, never guessed.</summary>
    public const int CurrentVersion = 1;

    /// <summary>No manifest is longer, in bytes.</summary>
    public const int MaximumBytes = 16 << 20;

    /// <summary>The version of this one.</summary>
    public required int Version { get; init; }

    /// <summary>When it was exported.</summary>
    public required DateTimeOffset ExportedAt { get; init; }

    /// <summary>The uuid of the domain.</summary>
    public required DomainId Domain { get; init; }

    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The snapshot that it came from (R7); whoever imports it without a head begins there.</summary>
    public required SnapshotId? Current { get; init; }

    /// <summary>What it was when it was off; null if it ran, or only snapshots were asked for.</summary>
    public required Head? Head { get; init; }

    /// <summary>Its snapshots, parents before their children.</summary>
    public required ImmutableArray<Snapshot> Snapshots { get; init; }

    /// <summary>The heads that reverts left, oldest first.</summary>
    public required ImmutableArray<Tip> Tips { get; init; }

    /// <summary>The layers that no snapshot lists.</summary>
    public required ImmutableArray<Layer> Layers { get; init; }

    /// <summary>Every layer.</summary>
    [JsonIgnore]
    public IEnumerable<Layer> AllLayers => Layers.Concat(Snapshots.SelectMany(s => s.Layers));

    /// <summary>The memory images that are files, each once.</summary>
    [JsonIgnore]
    public IEnumerable<string> MemoryFiles => Catalog.Memories.Select(m => m.File).OfType<string>().Distinct(StringComparer.Ordinal);

    /// <summary>The same as a catalog. A head that is not carried has no disks, and the definition of where an import begins.</summary>
    [JsonIgnore]
    public Catalog Catalog => new()
    {
        Domain = Domain,
        Name = Name,
        Last = new LastOperation(new ShortId("00000000"), OperationEnd.Committed),
        Head = Head ?? new Head { Definition = (Begin ?? Snapshots[0]).Definition, Disks = [] },
        Current = Current,
        Snapshots = Snapshots.ToImmutableDictionary(s => s.Id),
        Tips = Tips,
        Layers = Layers,
    };

    /// <summary>The snapshot on which an import without a head begins.</summary>
    [JsonIgnore]
    public Snapshot? Begin => Snapshots.FirstOrDefault(s => s.Id == Current);

    /// <summary>The names of all files that belong to it, the manifest included and the checksums not.</summary>
    [JsonIgnore]
    public IEnumerable<string> Files =>
    [
        ExportFolder.Manifest,
        .. AllLayers.Where(l => l.Inside is null).Select(ExportFolder.Image),
        .. MemoryFiles,
        .. Catalog.Tpms.Select(ExportFolder.Tpm),
        .. Catalog.Definitions.Select(ExportFolder.Definition),
    ];

    /// <summary>The manifest as text.</summary>
    public string Format() => JsonSerializer.Serialize(this, ExportText.Type) + "\n";

    /// <summary>Reads a manifest. Each thing in it is there once; no more of what it says is checked yet.</summary>
    /// <param name="text">UTF-8.</param>
    /// <param name="path">Where it comes from, for errors.</param>
    /// <exception cref="CoppiceException">It is none, or of another version (<see cref="ErrorKind.Damaged"/>).</exception>
    public static ExportManifest Parse(ReadOnlySpan<byte> text, string path)
    {
        try
        {
            var version = JsonSerializer.Deserialize(text, ExportJson.Default.ExportVersion)?.Version;
            if (version != CurrentVersion)
            {
                throw new CoppiceException(
                    ErrorKind.Damaged, path, $"has version {version}, and this Coppice reads version {CurrentVersion}",
                    "import it with the version of Coppice that exported it, or export it again");
            }

            var manifest = JsonSerializer.Deserialize(text, ExportText.Type) ?? throw new JsonException("it is empty");
            ManifestRules.RequireWhole(manifest, $"manifest {path}");
            return manifest;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or OverflowException)
        {
            throw new CoppiceException(
                ErrorKind.Damaged, path, $"is no manifest of an exported domain: {e.Message}",
                "copy the folder anew from where it was exported", e);
        }
    }
}

/// <summary>What is read first of every manifest.</summary>
internal sealed record ExportVersion(int Version);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(ExportManifest))]
[JsonSerializable(typeof(ExportVersion))]
internal sealed partial class ExportJson : JsonSerializerContext;

/// <summary>How manifests are written and read.</summary>
internal static class ExportText
{
    /// <summary>Several lines, for people; nothing that is not known is accepted.</summary>
    public static JsonTypeInfo<ExportManifest> Type { get; } =
        (JsonTypeInfo<ExportManifest>)new JsonSerializerOptions(ExportJson.Default.Options)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        TypeInfoResolver = ExportJson.Default,
        Converters =
        {
            // By name alone: a number may be none of them.
            new JsonStringEnumConverter<DomainState>(null, allowIntegerValues: false),
            new JsonStringEnumConverter<MemoryMode>(null, allowIntegerValues: false),
            new JsonStringEnumConverter<MemoryFormat>(null, allowIntegerValues: false),
            new JsonStringEnumConverter<DiskMode>(null, allowIntegerValues: false),
            new JsonStringEnumConverter<ImageFormat>(null, allowIntegerValues: false),
            new JsonStringEnumConverter<StorageType>(null, allowIntegerValues: false),
            new JsonStringEnumConverter<LayerOrigin>(null, allowIntegerValues: false),
        },
    }.GetTypeInfo(typeof(ExportManifest));
}
