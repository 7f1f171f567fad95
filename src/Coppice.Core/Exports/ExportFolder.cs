using System.Collections.Immutable;
using System.Globalization;

namespace Coppice.Core;

/// <summary>
/// Where an exported domain has its files (docs/reference/export.md). Paths only; nothing is touched. Every name follows from an id,
/// never from what a user called something, and an image is called as it will be in the domain that takes it.
/// </summary>
/// <param name="Path">The absolute path of the folder.</param>
public sealed record ExportFolder(string Path)
{
    /// <summary>What is in the folder: an <see cref="ExportManifest"/>.</summary>
    public const string Manifest = "manifest.json";

    /// <summary>The SHA-256 of each other file, as <c>sha256sum -c</c> reads it. Written last: without it a folder is not whole.</summary>
    public const string Sums = "SHA256SUMS";

    private const string Suffix = ".partial";

    /// <summary>Where it is made, before it gets its name in one step.</summary>
    public static string Partial(string folder, ShortId operation) =>
        $"{System.IO.Path.GetDirectoryName(folder)!.TrimEnd('/')}/.{System.IO.Path.GetFileName(folder)}.{operation}{Suffix}";

    /// <summary>The absolute path of a name in it.</summary>
    public string this[string name] => $"{Path}/{name}";

    /// <summary>The image of a layer. All images of a disk are in one folder, so that each names the next relatively.</summary>
    public static string Image(Layer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return $"images/{layer.Disk}/{LayerFileName.Carried(layer.Disk, layer.Inside?.Holder ?? layer.Id, layer.Format)}";
    }

    /// <summary>A memory image, by its number.</summary>
    public static string Memory(int number) => string.Create(CultureInfo.InvariantCulture, $"memory/{number}.mem");

    /// <summary>What a TPM kept.</summary>
    public static string Tpm(ShortId id) => $"tpm/{id}";

    /// <summary>A definition, in libvirt's format.</summary>
    public static string Definition(ShortId id) => $"definitions/{id}.xml";

    /// <summary>A snapshot in libvirt's format, for people and other programs; an import does not read it.</summary>
    public static string Document(SnapshotId id) => $"snapshots/{id}.xml";

    /// <summary>The text of <see cref="Sums"/>.</summary>
    /// <param name="sums">The SHA-256 of each file in lower-case hex, by its name in the folder.</param>
    public static string FormatSums(IEnumerable<KeyValuePair<string, string>> sums) =>
        string.Concat(sums.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Value}  {s.Key}\n"));

    /// <summary>Reads the text of <see cref="Sums"/>.</summary>
    /// <exception cref="CoppiceException">It is no such text (<see cref="ErrorKind.Damaged"/>).</exception>
    public ImmutableDictionary<string, string> ParseSums(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var sums = ImmutableDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var isSum = line.Length > 66 && line[64..66] == "  " && line[..64].All(char.IsAsciiHexDigitLower);
            if (!isSum || !sums.TryAdd(line[66..], line[..64]))
            {
                throw new CoppiceException(
                    ErrorKind.Damaged, this[Sums], "has a line that is no checksum of a file, or is there twice",
                    "copy the folder anew from where it was exported");
            }
        }

        return sums.ToImmutable();
    }
}
