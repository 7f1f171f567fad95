using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Drives.</content>
public static partial class DomainXml
{
    private const int LongestTarget = 16;
    private const int LongestSerial = 36;

    // A disk that is only kept would silently be missing from snapshots.
    private static void RefuseStrangeDisk(XElement element, string path)
    {
        if (element.Name == "disk")
        {
            var (attribute, values) = ElementTables.Mismatch(element, path)!.Value;
            throw attribute.Refuse($"'{attribute.Shown()}' is not supported for a disk", $"use {string.Join(" or ", values)}");
        }
    }

    private static DiskDevice ReadDisk(XElement element)
    {
        var type = DomainWords.StorageTypes.Read(element.Attribute("type")) ?? StorageType.File;
        var kind = DomainWords.DiskKinds.Read(element.Attribute("device")) ?? DiskKind.Disk;
        var driver = element.Element("driver");
        var target = ReadTarget(element);
        var source = ReadSource(element, type);
        if (source is null && kind == DiskKind.Disk)
        {
            throw element.Refuse($"disk '{target}' has no image", $"add <source {SourceAttribute(type)}='…'/>");
        }

        return new DiskDevice
        {
            Target = target,
            Kind = kind,
            Bus = DomainWords.DiskBuses.Read(element.Element("target")!.Attribute("bus")) ?? UsualBus(target),
            Source = source,
            Type = type,
            Format = DomainWords.ImageFormats.Read(driver?.Attribute("type")) ?? ImageFormat.Raw,
            Backing = element.Element("backingStore") is { } backing ? ReadBacking(backing) : null,
            ReadOnly = kind == DiskKind.Cdrom || element.Element("readonly") is not null,
            Snapshot = DomainWords.DiskModes.Read(element.Attribute("snapshot")),
            Cache = driver?.Attribute("cache") is { Value: not "default" } cache ? DomainWords.DiskCaches.Read(cache) : null,
            Io = DomainWords.DiskIos.Read(driver?.Attribute("io")),
            Discard = DomainWords.DiskDiscards.Read(driver?.Attribute("discard")),
            Serial = ReadSerial(element),
            BootOrder = element.Element("boot")?.Required("order").Number(1, int.MaxValue),
        };
    }

    private static IEnumerable<object?> WriteDisk(DiskDevice disk) =>
    [
        new XAttribute("type", DomainWords.StorageTypes[disk.Type]),
        new XAttribute("device", DomainWords.DiskKinds[disk.Kind]),
        OptionalAttribute("snapshot", disk.Snapshot is { } mode ? DomainWords.DiskModes[mode] : null),
        new XElement(
            "driver",
            new XAttribute("name", "qemu"),
            new XAttribute("type", DomainWords.ImageFormats[disk.Format]),
            OptionalAttribute("cache", disk.Cache is { } cache ? DomainWords.DiskCaches[cache] : null),
            OptionalAttribute("io", disk.Io is { } io ? DomainWords.DiskIos[io] : null),
            OptionalAttribute("discard", disk.Discard is { } discard ? DomainWords.DiskDiscards[discard] : null)),
        disk.Source is null ? null : new XElement("source", new XAttribute(SourceAttribute(disk.Type), disk.Source)),
        disk.Backing is { } backing ? WriteBacking([.. backing]) : null,
        new XElement("target", new XAttribute("dev", disk.Target), new XAttribute("bus", DomainWords.DiskBuses[disk.Bus])),
        disk.ReadOnly ? new XElement("readonly") : null,
        Text("serial", disk.Serial),
        WriteBoot(disk.BootOrder),
    ];

    // Of what the other type is named by nothing must be left over: it would be a disk without its image.
    private static string? ReadSource(XElement disk, StorageType type)
    {
        var source = disk.Element("source");
        var other = type is StorageType.Block ? StorageType.File : StorageType.Block;
        return source?.Attribute(SourceAttribute(other)) is { } wrong
            ? throw wrong.Refuse(
                $"the image of a disk of type '{DomainWords.StorageTypes[type]}' is named by {SourceAttribute(type)}=",
                $"write <source {SourceAttribute(type)}='…'/>, or type='{DomainWords.StorageTypes[other]}'")
            : source?.Attribute(SourceAttribute(type)).AbsolutePath();
    }

    private static string SourceAttribute(StorageType type) => type is StorageType.Block ? "dev" : "file";

    // Targets name folders and QEMU's nodes.
    private static string ReadTarget(XElement disk)
    {
        var dev = disk.RequiredElement("target").Required("dev");
        var target = dev.Value;
        var isKnown = target.Length is > 2 and <= LongestTarget
            && target[..2] is "vd" or "sd" or "hd" && target.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c));
        return isKnown ? target : throw dev.Refuse($"'{dev.Shown()}' does not name a drive", "use a name like vda, sda or hda");
    }

    /// <summary>What a target says of its bus.</summary>
    internal static DiskBus UsualBus(string target) => target[0] switch
    {
        'v' => DiskBus.Virtio,
        'h' => DiskBus.Ide,
        _ => DiskBus.Scsi,
    };

    private static string? ReadSerial(XElement disk)
    {
        var place = disk.Element("serial");
        var serial = place?.Value;
        return serial is null || (serial.Length is > 0 and <= LongestSerial && serial.All(IsOfSerial))
            ? serial
            : throw place!.Refuse(
                $"'{place!.Shown()}' is not a serial number", $"use up to {LongestSerial} letters, digits and . _ + -");
    }

    private static bool IsOfSerial(char c) => char.IsAsciiLetterOrDigit(c) || c is ' ' or '_' or '.' or '+' or '-';

    private static ValueList<DeclaredLayer> ReadBacking(XElement outermost)
    {
        var layers = new List<DeclaredLayer>();
        for (var store = outermost; store is { HasElements: true }; store = store.Element("backingStore"))
        {
            if (store.Attribute("type") is { Value: not "file" } type)
            {
                throw type.Refuse($"'{type.Shown()}' is not a known type of layer", "use an image file, with type='file'");
            }

            var path = store.RequiredElement("source").Required("file").AbsolutePath()!;
            var format = DomainWords.ImageFormats.Read(store.RequiredElement("format").Required("type"))!.Value;
            layers.Add(new DeclaredLayer(path, format));
        }

        return [.. layers];
    }

    private static XElement WriteBacking(ReadOnlySpan<DeclaredLayer> layers) => layers.IsEmpty ? new("backingStore") : new(
        "backingStore",
        new XAttribute("type", "file"),
        new XElement("format", new XAttribute("type", DomainWords.ImageFormats[layers[0].Format])),
        new XElement("source", new XAttribute("file", layers[0].Path)),
        WriteBacking(layers[1..]));

    private static XElement? WriteBoot(int? order) => order is null ? null : new XElement("boot", new XAttribute("order", order));
}
