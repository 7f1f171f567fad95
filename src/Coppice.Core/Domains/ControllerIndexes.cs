using System.Globalization;
using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>The numbers of controllers that a document leaves open. virt-install does so for all.</summary>
internal static class ControllerIndexes
{
    /// <summary>
    /// Numbers them as libvirt does: each has the lowest free number of its type, but the functions of one ICH9, which follow
    /// each other, share theirs. Number 0 of the PCI controllers is the machine's own bus.
    /// </summary>
    public static void Fill(XElement domain)
    {
        XElement? previous = null;
        var controllers = domain.Elements("devices").Elements("controller").ToList();
        foreach (var controller in controllers)
        {
            if (controller.Attribute("index") is null)
            {
                var alike = controllers.Where(c => Type(c) == Type(controller)).ToList();
                controller.SetAttributeValue("index", IndexOfGroup(controller, previous, alike) ?? Lowest(controller, alike));
            }

            previous = controller;
        }
    }

    private static int? IndexOfGroup(XElement controller, XElement? previous, List<XElement> alike) =>
        IsOfIch9(controller) && previous is not null && IsOfIch9(previous) && Index(previous) is { } index
            && !alike.Any(c => Model(c) == Model(controller) && Index(c) == index)
            ? index
            : null;

    private static int Lowest(XElement controller, List<XElement> alike)
    {
        var taken = alike.Select(Index).ToHashSet();
        var lowest = Type(controller) == "pci" && Model(controller) is not ("pci-root" or "pcie-root") ? 1 : 0;
        return Enumerable.Range(lowest, alike.Count + 1).First(i => !taken.Contains(i));
    }

    private static bool IsOfIch9(XElement controller) =>
        Type(controller) == "usb" && Model(controller)?.StartsWith("ich9-", StringComparison.Ordinal) == true;

    private static string? Type(XElement controller) => controller.Attribute("type")?.Value;

    private static string? Model(XElement controller) => controller.Attribute("model")?.Value;

    private static int? Index(XElement controller) =>
        int.TryParse(controller.Attribute("index")?.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? index
            : null;
}
