using System.Net;
using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Network cards.</content>
public static partial class DomainXml
{
    private const int HighestPort = 65535;

    // libvirt's own names, which it makes anew at each start and which are in what it prints of a running domain.
    private const string GeneratedName = "vnet";

    private static NetworkDevice ReadNetwork(XElement element)
    {
        var tap = ReadTap(element);
        if (tap is not null && element.Element("portForward") is { } forward)
        {
            throw forward.Refuse("ports are forwarded on user networking only", "write type='user', or remove it");
        }

        return new NetworkDevice
        {
            Mac = element.Element("mac") is { } mac ? ReadMac(mac.Required("address")) : null,
            Model = DomainWords.NetworkModels.Read(element.Element("model")?.Required("type")) ?? NetworkModel.Virtio,
            Tap = tap,
            LinkIsUp = element.Element("link")?.Required("state").Flag("up", "down"),
            Forwards = [.. element.Elements("portForward").Select(ReadForward)],
            BootOrder = element.Element("boot")?.Required("order").Number(1, int.MaxValue),
        };
    }

    private static TapDevice? ReadTap(XElement element)
    {
        var type = element.Required("type").Value;
        var bridge = element.Element("source")?.Attribute("bridge");
        if (type != "bridge" && bridge is not null)
        {
            throw bridge.Refuse($"type='{type}' is not on a bridge", "write type='bridge', or remove it");
        }

        var target = element.Element("target");
        var managed = target?.Attribute("managed");
        if (type != "ethernet" && managed is not null)
        {
            throw managed.Refuse("it is about type='ethernet' only", "remove it");
        }

        // On user networking there is no device that could have the name.
        return type switch
        {
            "bridge" => new TapDevice
            {
                Bridge = ReadDeviceName(element.RequiredElement("source").Required("bridge")), Name = ReadOwnName(target),
            },
            "ethernet" when managed.Flag("yes", "no") is false =>
                new TapDevice { Name = ReadDeviceName(target!.Required("dev")), Exists = true },
            "ethernet" => new TapDevice { Name = ReadOwnName(target) },
            _ => null,
        };
    }

    private static string? ReadOwnName(XElement? target) =>
        target?.Attribute("dev") is { } dev && ReadDeviceName(dev) is var name
            && !name.StartsWith(GeneratedName, StringComparison.Ordinal) ? name : null;

    private static string ReadDeviceName(XAttribute place) => TapDevice.IsName(place.Value)
        ? place.Value
        : throw place.Refuse(
            $"'{place.Shown()}' does not name a network device",
            $"use at most {TapDevice.MaximumNameBytes} letters, digits, '.', '_', '+' and '-', the last not at the beginning");

    private static IEnumerable<object?> WriteNetwork(NetworkDevice card) =>
    [
        new XAttribute("type", card.Tap is not { } tap ? "user" : tap.Bridge is null ? "ethernet" : "bridge"),
        card.Mac is null ? null : new XElement("mac", new XAttribute("address", card.Mac)),
        .. card.Tap is null ? [] : WriteTap(card.Tap),
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
        card.LinkIsUp is { } up ? new XElement("link", new XAttribute("state", up ? "up" : "down")) : null,
        WriteBoot(card.BootOrder),
    ];

    private static IEnumerable<XElement> WriteTap(TapDevice tap)
    {
        if (tap.Bridge is not null)
        {
            yield return new XElement("source", new XAttribute("bridge", tap.Bridge));
        }

        if (tap.Name is not null)
        {
            yield return new XElement(
                "target", new XAttribute("dev", tap.Name), tap.Exists ? new XAttribute("managed", "no") : null);
        }
    }

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
