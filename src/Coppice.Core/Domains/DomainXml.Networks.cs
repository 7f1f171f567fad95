using System.Net;
using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Network cards.</content>
public static partial class DomainXml
{
    private const int HighestPort = 65535;

    private static NetworkDevice ReadNetwork(XElement element)
    {
        element.Required("type");
        return new NetworkDevice
        {
            Mac = element.Element("mac") is { } mac ? ReadMac(mac.Required("address")) : null,
            Model = DomainWords.NetworkModels.Read(element.Element("model")?.Required("type")) ?? NetworkModel.Virtio,
            Forwards = [.. element.Elements("portForward").Select(ReadForward)],
            BootOrder = element.Element("boot")?.Required("order").Number(1, int.MaxValue),
        };
    }

    private static IEnumerable<object?> WriteNetwork(NetworkDevice card) =>
    [
        new XAttribute("type", "user"),
        card.Mac is null ? null : new XElement("mac", new XAttribute("address", card.Mac)),
        card.Forwards.Select(forward => new XElement(
            "portForward",
            new XAttribute("proto", DomainWords.ForwardProtocols[forward.Protocol]),
            OptionalAttribute("address", forward.Address),
            forward.Ranges.Select(range => new XElement(
                "range",
                new XAttribute("start", range.Start),
                range.End == range.Start ? null : new XAttribute("end", range.End),
                range.To == range.Start ? null : new XAttribute("to", range.To))))),
        new XElement("model", new XAttribute("type", DomainWords.NetworkModels[card.Model])),
        WriteBoot(card.BootOrder),
    ];

    private static string ReadMac(XAttribute place)
    {
        var mac = place.Value.ToLowerInvariant();
        var octets = mac.Split(':');
        if (octets.Length != 6 || !octets.All(o => o.Length == 2 && o.All(char.IsAsciiHexDigit)))
        {
            throw place.Refuse($"'{place.Shown()}' is not a MAC address", "write six octets, like 52:54:00:12:34:56");
        }

        return "13579bdf".Contains(mac[1], StringComparison.Ordinal)
            ? throw place.Refuse($"'{place.Shown()}' is the address of a group", "use an even first octet, like 52")
            : mac;
    }

    private static PortForward ReadForward(XElement forward)
    {
        forward.RequiredElement("range");
        return new PortForward
        {
            Protocol = DomainWords.ForwardProtocols.Read(forward.Required("proto")) ?? default,
            Address = ReadIpAddress(forward.Attribute("address")),
            Ranges = [.. forward.Elements("range").Select(ReadRange)],
        };
    }

    private static PortRange ReadRange(XElement range)
    {
        var start = range.Required("start").Number(1, HighestPort) ?? 0;
        var end = range.Attribute("end").Number(1, HighestPort) ?? start;
        var to = range.Attribute("to").Number(1, HighestPort) ?? start;
        return end >= start && to + (end - start) <= HighestPort
            ? new PortRange(start, end, to)
            : throw range.Refuse("the range ends before it starts or beyond the last port", "correct start, end and to");
    }

    private static string? ReadIpAddress(XAttribute? place) =>
        place is null || IPAddress.TryParse(place.Value, out _)
            ? place?.Value
            : throw place.Refuse($"'{place.Shown()}' is not an IP address", "correct it");
}
