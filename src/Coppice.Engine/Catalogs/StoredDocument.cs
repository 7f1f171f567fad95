using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>The files of a catalog: documents of one version, each on lines of its own.</summary>
internal static class StoredDocument
{
    /// <summary>The bytes of a document.</summary>
    public static byte[] Serialize<T>(T document, JsonTypeInfo<T> type) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(document, type), (byte)'\n'];

    /// <summary>Reads a file, but not one of more than so many bytes.</summary>
    /// <exception cref="CoppiceException">It cannot be read; the inner error says whether it is missing.</exception>
    public static byte[] Read(string path, int maximum)
    {
        try
        {
            return DurableFile.ReadBounded(path, maximum);
        }
        catch (FileException e)
        {
            throw e.IsMissing || e.ErrorNumber == 0 ? Damaged(path, e.Problem, e) : Failure.Of(e);
        }
    }

    /// <summary>What a file says.</summary>
    /// <exception cref="CoppiceException">It is broken or of another version (<see cref="ErrorKind.Damaged"/>).</exception>
    public static T Parse<T>(string path, ReadOnlySpan<byte> content, JsonTypeInfo<T> type)
    {
        try
        {
            var version = EngineJson.Version(content);
            return version == CatalogStore.Version
                ? JsonSerializer.Deserialize(content, type)!
                : throw new CoppiceException(
                    ErrorKind.Damaged, path, $"has version {version}, and this Coppice reads version {CatalogStore.Version}",
                    "use the version of Coppice that wrote it");
        }
        catch (JsonException e)
        {
            throw Damaged(path, e.Message, e);
        }
    }

    /// <summary>The error that a file of a catalog is broken.</summary>
    public static CoppiceException Damaged(string path, string problem, Exception? cause) => new(
        ErrorKind.Damaged, path, $"cannot be read: {problem}", "restore the catalog folder from a backup", cause);
}
