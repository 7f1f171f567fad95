using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Controllers and random numbers.</content>
public static partial class DomainXml
{
    /// <summary>The highest index of a controller.</summary>
    internal const int HighestIndex = 255;

    private static ControllerDevice ReadController(XElement element)
    {
        var kind = DomainWords.ControllerKinds.Read(element.Required("type")) ?? default;
        var target = element.Element("target");
        return new ControllerDevice
        {
            Kind = kind,
            Index = element.Attribute("index").Number(0, HighestIndex) ?? 0,
            Model = ReadControllerModel(element, kind),
            Chassis = target?.Attribute("chassis").Number(0, HighestIndex),
            Port = target?.Attribute("port").Number(0, HighestIndex),
        };
    }

    private static ControllerModel ReadControllerModel(XElement element, ControllerKind kind)
    {
        var place = element.Attribute("model");
        var model = DomainWords.ControllerModels.Read(place);
        ControllerKind? belongsTo = model switch
        {
            ControllerModel.None or ControllerModel.QemuXhci or ControllerModel.Piix3Uhci => ControllerKind.Usb,
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
        controller.Model == ControllerModel.PcieRootPort ? new XElement("model", new XAttribute("name", "pcie-root-port")) : null,
        controller.Chassis is null && controller.Port is null
            ? null
            : new XElement(
                "target", OptionalAttribute("chassis", controller.Chassis), OptionalAttribute("port", controller.Port)),
    ];

    private static RandomDevice ReadRandom(XElement element)
    {
        element.Required("model");
        var backend = element.RequiredElement("backend");
        return new RandomDevice
        {
            Source = backend.Required("model").Value == "builtin" ? null
                : backend.Value.Length == 0 ? "/dev/urandom" : backend.AbsolutePath(),
        };
    }

    private static IEnumerable<object?> WriteRandom(RandomDevice random) =>
    [
        new XAttribute("model", "virtio"),
        new XElement("backend", new XAttribute("model", random.Source is null ? "builtin" : "random"), random.Source),
    ];
}
