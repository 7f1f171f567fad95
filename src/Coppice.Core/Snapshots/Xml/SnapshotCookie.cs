using System.Collections.Immutable;
using System.Globalization;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// What Coppice writes into <c>&lt;cookie&gt;</c> (ADR 11, ADR 17): uuid and memory disk as attributes of one element, and
/// within it what the snapshot keeps.
/// </summary>
internal static class SnapshotCookie
{
    private const string TimeFormat = "O";
    private static readonly XNamespace s_ours = SnapshotXml.OwnNamespace;

    /// <summary>The name of our element.</summary>
    public static XName Name { get; } = s_ours + "snapshot";

    /// <summary>Our element; null if there is nothing to say.</summary>
    public static XElement? Write(SnapshotDocument document)
    {
        if ((document.Id, document.Memory?.Disk, document.Content) is (null, null, null))
        {
            return null;
        }

        return new XElement(
            Name,
            new XAttribute(XNamespace.Xmlns + "coppice", s_ours),
            Attribute("uuid", document.Id),
            Attribute("memoryDisk", document.Memory?.Disk),
            document.Content is { } content ? Write(content) : null);
    }

    /// <summary>What the snapshot keeps; null if our element does not say.</summary>
    /// <exception cref="CoppiceException">It is not as we write it (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static SnapshotContent? Read(XElement? own)
    {
        var isLonger = own?.Elements().Any(e => e.Name.Namespace == s_ours) ?? false;
        if (own?.Attribute("state") is not { } state)
        {
            return !isLonger ? null : throw own!.Refuse(
                "it names disks, layers or files, and the attribute state is missing", "leave it as 'snapshot dumpxml' prints it");
        }

        return new SnapshotContent
        {
            State = Word<DomainState>(state),
            CreatedAt = Time(own.Required("created")),
            MemoryLayer = Id(own.Attribute("memoryLayer")),
            MemoryFormat = own.Attribute("memoryFormat") is { } format ? Word<MemoryFormat>(format) : default,
            MemoryWrittenBy = own.Attribute("memoryWrittenBy")?.Value,
            IsQuiesced = own.Attribute("quiesced") is { } quiesced && Flag(quiesced),
            Tpm = Id(own.Attribute("tpm")),
            Disks = [.. own.Elements(s_ours + "disk").Select(ReadDisk)],
            Layers = [.. own.Elements(s_ours + "layer").Select(ReadLayer)],
            Modified = own.Elements(s_ours + "file").DistinctBy(f => f.Required("path").Value)
                .ToImmutableSortedDictionary(
                    f => Path(f.Required("path")), f => Time(f.Required("modified")), StringComparer.Ordinal),
        };
    }

    private static object[] Write(SnapshotContent content) =>
    [
        new XAttribute("state", Word(content.State)),
        new XAttribute("created", Time(content.CreatedAt)),
        .. Optional("memoryLayer", content.MemoryLayer),
        .. content.MemoryFormat is MemoryFormat.Stream ? [] : Optional("memoryFormat", Word(content.MemoryFormat)),
        .. Optional("memoryWrittenBy", content.MemoryWrittenBy),
        .. content.IsQuiesced ? Optional("quiesced", "true") : [],
        .. Optional("tpm", content.Tpm),
        .. content.Disks.Select(Write),
        .. content.Layers.Select(Write),
        .. content.Modified.Select(f => new XElement(
            s_ours + "file", new XAttribute("path", f.Key), new XAttribute("modified", Time(f.Value)))),
    ];

    private static XElement Write(DiskSnapshot disk) => new(
        s_ours + "disk",
        new XAttribute("name", disk.Target),
        new XAttribute("mode", Word(disk.Mode)),
        new XAttribute("layer", disk.Layer));

    private static DiskSnapshot ReadDisk(XElement disk) => new()
    {
        Target = disk.Required("name").Value,
        Mode = Word<DiskMode>(disk.Required("mode")),
        Layer = Id(disk.Required("layer"))!.Value,
    };

    private static XElement Write(Layer layer) => new(
        s_ours + "layer",
        new XAttribute("id", layer.Id),
        new XAttribute("disk", layer.Disk),
        new XAttribute("path", layer.Path),
        layer.Type is StorageType.File ? null : new XAttribute("type", Word(layer.Type)),
        new XAttribute("format", Word(layer.Format)),
        new XAttribute("bytes", layer.VirtualSize.Bytes),
        Attribute("parent", layer.Parent),
        new XAttribute("origin", Word(layer.Origin)),
        Attribute("holder", layer.Inside?.Holder),
        Attribute("tag", layer.Inside?.Tag));

    private static Layer ReadLayer(XElement layer) => new()
    {
        Id = Id(layer.Required("id"))!.Value,
        Disk = layer.Required("disk").Value,
        Path = Path(layer.Required("path")),
        Type = layer.Attribute("type") is { } type ? Word<StorageType>(type) : default,
        Format = Word<ImageFormat>(layer.Required("format")),
        VirtualSize = Size(layer.Required("bytes")),
        Parent = Id(layer.Attribute("parent")),
        Origin = Word<LayerOrigin>(layer.Required("origin")),
        Inside = Id(layer.Attribute("holder")) is { } holder ? new InternalPlace(holder, layer.Required("tag").Value) : null,
    };

    private static XAttribute? Attribute(string name, object? value) => value is null ? null : new XAttribute(name, $"{value}");

    private static IEnumerable<XAttribute> Optional(string name, object? value) =>
        Attribute(name, value) is { } attribute ? [attribute] : [];

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString() is var word ? char.ToLowerInvariant(word[0]) + word[1..] : "";

    private static T Word<T>(XAttribute attribute)
        where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (Word(value) == attribute.Value)
            {
                return value;
            }
        }

        throw Refuse(attribute, $"is none of {string.Join(", ", Enum.GetValues<T>().Select(Word))}");
    }

    private static bool Flag(XAttribute attribute) => attribute.Value is "true" ? true : throw Refuse(attribute, "is not 'true'");

    private static string Path(XAttribute attribute) => attribute.Value is var path && path.StartsWith('/')
        && System.IO.Path.GetFullPath(path) == path && !path.Any(char.IsControl)
        ? path
        : throw Refuse(attribute, "is no plain absolute path");

    private static ByteCount Size(XAttribute attribute) =>
        long.TryParse(attribute.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
            ? new ByteCount(bytes)
            : throw Refuse(attribute, "is no number of bytes");

    private static string Time(DateTimeOffset time) => time.ToString(TimeFormat, CultureInfo.InvariantCulture);

    private static DateTimeOffset Time(XAttribute attribute) =>
        DateTimeOffset.TryParseExact(attribute.Value, TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time)
            ? time
            : throw Refuse(attribute, "is no time");

    private static ShortId? Id(XAttribute? attribute)
    {
        try
        {
            return attribute is null ? null : ShortId.Parse(attribute.Value);
        }
        catch (FormatException)
        {
            throw Refuse(attribute!, "is no id");
        }
    }

    private static CoppiceException Refuse(XAttribute attribute, string problem) => attribute.Refuse(
        $"'{attribute.Shown()}' {problem}", "leave what is in <cookie> as 'snapshot dumpxml' prints it");
}
