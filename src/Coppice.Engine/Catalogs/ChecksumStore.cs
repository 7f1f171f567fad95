using System.Text.Json;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>A checksum as it is stored. Written once, replaced only if somebody takes what it is of as it is by then.</summary>
/// <param name="Version">The version of the format; another one counts as none.</param>
/// <param name="ModifiedAt">When the file was last written, when it was taken.</param>
/// <param name="Sha256">The digest, in lower-case hex.</param>
internal sealed record ChecksumDocument(int Version, DateTimeOffset ModifiedAt, string Sha256);

/// <summary>
/// The checksums of a domain: one file a layer or memory image, outside the catalog, since nothing depends on them. Layers go by
/// their ids, which are never used again, and the memory of a snapshot by the snapshot's.
/// </summary>
internal sealed class ChecksumStore(DomainFolder folder)
{
    private const int Version = 1;
    private const int MaximumLength = 4096;

    /// <summary>What is known of something; null if nothing is, or it cannot be read.</summary>
    public ChecksumDocument? Read(string id)
    {
        try
        {
            var content = DurableFile.ReadBounded(PathOf(id), MaximumLength);
            var read = JsonSerializer.Deserialize(content, EngineJson.Document<ChecksumDocument>());
            return read is { Version: Version } ? read : null;
        }
        catch (Exception e) when (e is FileException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes one, unless the domain has gone meanwhile.</summary>
    /// <exception cref="FileException">It has, or it cannot be written.</exception>
    public Task WriteAsync(string id, DateTimeOffset modifiedAt, string sha256)
    {
        DurableFolder.CreateInside(folder.Checksums);
        var document = new ChecksumDocument(Version, modifiedAt, sha256);
        return DurableFile.ReplaceAsync(PathOf(id), JsonSerializer.SerializeToUtf8Bytes(document, EngineJson.Document<ChecksumDocument>()));
    }

    /// <summary>
    /// Removes those of what the catalog no longer has, as far as that can be done: each operation does, and nobody misses them.
    /// </summary>
    public void Tidy(Catalog catalog)
    {
        var known = LayerGraph.Of(catalog).All.Select(l => l.Id.ToString()).Concat(catalog.Snapshots.Keys.Select(id => id.ToString()))
            .Select(PathOf).ToHashSet(StringComparer.Ordinal);
        try
        {
            var all = Directory.Exists(folder.Checksums) ? Directory.GetFiles(folder.Checksums, "*.json") : [];
            foreach (var path in all.Where(p => IsOurs(Path.GetFileNameWithoutExtension(p)) && !known.Contains(p)))
            {
                DurableFile.Remove(path);
            }
        }
        catch (Exception e) when (e is FileException or IOException or UnauthorizedAccessException)
        {
            // The next operation tries it again.
        }
    }

    /// <summary>A layer's id or a snapshot's.</summary>
    private static bool IsOurs(string name) => name.All(c => char.IsAsciiHexDigitLower(c) || c is '-');

    private string PathOf(string id) => $"{folder.Checksums}/{id}.json";
}
