using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Controllers.</content>
public static partial class DomainXml
{
    /// <summary>The highest index of a controller.</summary>
    internal const int HighestIndex = 255;

    private static ControllerDevice ReadController(XElement element)
    {
        var kind = DomainWords.ControllerKinds.Read(element.Required("type")) ?? default;
        var target = element.Element("target");
        var model = ReadControllerModel(element, kind);
        return new ControllerDevice
        {
            Kind = kind,
            Index = element.Attribute("index").Number(0, HighestIndex) ?? 0,
            Model = model,
            Chassis = target?.Attribute("chassis").Number(0, HighestIndex),
            Port = target?.Attribute("port").Number(0, HighestIndex),
            FirstPort = element.Element("master") is { } master ? ReadMaster(master, model) : null,
            Ports = element.Attribute("ports") is { } ports ? ReadPorts(ports, kind, model) : null,
        };
    }

    private static int? ReadMaster(XElement master, ControllerModel model) =>
        model is ControllerModel.Ich9Uhci1 or ControllerModel.Ich9Uhci2 or ControllerModel.Ich9Uhci3
            ? master.Required("startport").Number(0, DomainSeal.EhciPorts - 1)
            : throw master.Refuse(
                "only an ich9-uhci1, ich9-uhci2 or ich9-uhci3 is a companion", "remove it or correct the model");

    private static int? ReadPorts(XAttribute ports, ControllerKind kind, ControllerModel model) => (kind, model) switch
    {
        (_, ControllerModel.QemuXhci) => ports.Number(1, DomainSeal.MostXhciPorts),
        (ControllerKind.VirtioSerial, _) => ports.Number(1, DomainSeal.HighestVirtioSerialPort + 1),
        _ => throw ports.Refuse("only a qemu-xhci and a virtio-serial controller have a number of ports", "remove it"),
    };

    private static ControllerModel ReadControllerModel(XElement element, ControllerKind kind)
    {
        var place = element.Attribute("model");
        var model = DomainWords.ControllerModels.Read(place);
        ControllerKind? belongsTo = model switch
        {
            ControllerModel.None or ControllerModel.QemuXhci or ControllerModel.Piix3Uhci or ControllerModel.Ich9Ehci1
                or ControllerModel.Ich9Uhci1 or ControllerModel.Ich9Uhci2 or ControllerModel.Ich9Uhci3 => ControllerKind.Usb,
            ControllerModel.PciRoot or ControllerModel.PcieRoot or ControllerModel.PcieRootPort => ControllerKind.Pci,
            ControllerModel.VirtioScsi => ControllerKind.Scsi,
            ControllerModel.Piix3 => ControllerKind.Ide,
            _ => null,
        };
        if (belongsTo is not null && belongsTo != kind)
        {
            throw place!.Refuse(
                $"'{place!.Shown()}' is not a controller of type {DomainWords.ControllerKinds[kind]}", "correct type or model");
        }

        return model is null && kind == ControllerKind.Pci
            ? throw element.Refuse("a PCI controller needs a model", "use pci-root, pcie-root or pcie-root-port")
            : model ?? ControllerModel.Default;
    }

    private static IEnumerable<object?> WriteController(ControllerDevice controller) =>
    [
        new XAttribute("type", DomainWords.ControllerKinds[controller.Kind]),
        new XAttribute("index", controller.Index),
        controller.Model == ControllerModel.Default
            ? null
            : new XAttribute("model", DomainWords.ControllerModels[controller.Model]),
        OptionalAttribute("ports", controller.Ports),
        controller.Model == ControllerModel.PcieRootPort ? new XElement("model", new XAttribute("name", "pcie-root-port")) : null,
        controller.Chassis is null && controller.Port is null
            ? null
            : new XElement(
                "target", OptionalAttribute("chassis", controller.Chassis), OptionalAttribute("port", controller.Port)),
        controller.FirstPort is { } port ? new XElement("master", new XAttribute("startport", port)) : null,
    ];
}
