using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Addresses.</content>
public static partial class DomainXml
{
    /// <summary>The address of a device, or null; one that says only its type asks for one to be chosen.</summary>
    private static DeviceAddress? ReadAddress(XElement device)
    {
        if (device.Element("address") is not { } place)
        {
            return null;
        }

        return place.Required("type").Value switch
        {
            "pci" => place.Attribute("slot") is null ? null : ReadPciAddress(place),
            "drive" => new DriveAddress(
                place.Attribute("controller").Number(0, HighestIndex) ?? 0, place.Attribute("bus").Number(0, 1) ?? 0,
                place.Attribute("target").Number(0, HighestIndex) ?? 0, place.Attribute("unit").Number(0, HighestIndex) ?? 0),
            "virtio-serial" => place.Attribute("port") is not { } port ? null : new VirtioSerialAddress(
                place.Attribute("controller").Number(0, HighestIndex) ?? 0, place.Attribute("bus").Number(0, 0) ?? 0,
                port.Number(0, DomainSeal.HighestVirtioSerialPort) ?? 0),
            "virtio-mmio" => new VirtioMmioAddress(),
            _ => place.Attribute("port") is not { } port ? null : new UsbAddress(
                place.Attribute("bus").Number(0, HighestIndex) ?? 0, ReadUsbPort(port)),
        };
    }

    /// <summary>The address of a device that is only kept, so that no other device is put there.</summary>
    private static DeviceAddress? AddressToKeepFree(XElement device)
    {
        try
        {
            return device.Element("address") is { } place && ElementTables.Mismatch(place, "devices/*/address") is null
                ? ReadAddress(device)
                : null;
        }
        catch (CoppiceException)
        {
            return null;
        }
    }

    private static PciAddress ReadPciAddress(XElement place) => new(
        place.Attribute("bus").Number(0, HighestIndex) ?? 0,
        place.Attribute("slot").Number(0, 31) ?? 0,
        place.Attribute("function").Number(0, 7) ?? 0,
        place.Attribute("multifunction").Flag("on", "off") ?? false);

    private static string ReadUsbPort(XAttribute place)
    {
        var hops = place.Value.Split('.');
        return hops.Length <= 4 && hops.All(h => h.Length is > 0 and <= 3 && h.All(char.IsAsciiDigit))
            ? place.Value
            : throw place.Refuse($"'{place.Shown()}' is not a USB port", "write a number, dotted behind hubs: 1 or 1.2");
    }

    private static XElement WriteAddress(DeviceAddress address) => new("address", address switch
    {
        PciAddress pci =>
        [
            new XAttribute("type", "pci"), new XAttribute("domain", "0x0000"), Hex("bus", pci.Bus), Hex("slot", pci.Slot),
            new XAttribute("function", $"0x{pci.Function:x}"), pci.Multifunction ? new XAttribute("multifunction", "on") : null,
        ],
        DriveAddress drive =>
        [
            new XAttribute("type", "drive"), new XAttribute("controller", drive.Controller), new XAttribute("bus", drive.Bus),
            new XAttribute("target", drive.Target), new XAttribute("unit", drive.Unit),
        ],
        VirtioSerialAddress serial =>
        [
            new XAttribute("type", "virtio-serial"), new XAttribute("controller", serial.Controller),
            new XAttribute("bus", serial.Bus), new XAttribute("port", serial.Port),
        ],
        VirtioMmioAddress => [new XAttribute("type", "virtio-mmio")],
        UsbAddress usb => new XAttribute?[]
        {
            new("type", "usb"), new("bus", usb.Bus), new("port", usb.Port),
        },
        _ => throw new InvalidOperationException($"there is no element for {address.GetType().Name}"),
    });

    private static XAttribute Hex(string name, int number) => new(name, $"0x{number:x2}");
}
