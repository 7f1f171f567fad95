using System.Xml.Linq;

namespace Coppice.Core;

/// <content>VNC servers, graphics cards, input.</content>
public static partial class DomainXml
{
    private const long LargestVideoMemoryKiB = 1 << 20;

    private static GraphicsDevice ReadGraphics(XElement element)
    {
        element.Required("type");
        var listens = element.Elements("listen").ToList();
        if (listens.Count > 1)
        {
            throw listens[1].Refuse("VNC listens in one place only", "remove this one");
        }

        var listen = listens.SingleOrDefault();
        var socket = (listen?.Attribute("socket") ?? element.Attribute("socket")).AbsolutePath();
        if (socket is not null)
        {
            return new GraphicsDevice { Socket = socket };
        }

        if (listen?.Attribute("type") is { Value: "socket" } type)
        {
            throw type.Refuse("the socket is not named", "add socket='…'");
        }

        var isAutomatic = element.Attribute("autoport").Flag("yes", "no") ?? false;
        return new GraphicsDevice
        {
            Port = element.Attribute("port") is { Value: not "-1" } port && !isAutomatic ? port.Number(1, HighestPort) : null,
            Listen = ReadIpAddress(listen?.Attribute("address") ?? element.Attribute("listen")),
        };
    }

    private static IEnumerable<object?> WriteGraphics(GraphicsDevice graphics)
    {
        yield return new XAttribute("type", "vnc");
        if (graphics.Socket is not null)
        {
            yield return new XAttribute("socket", graphics.Socket);
            yield break;
        }

        yield return new XAttribute("port", graphics.Port ?? -1);
        yield return new XAttribute("autoport", graphics.Port is null ? "yes" : "no");
        yield return OptionalAttribute("listen", graphics.Listen);
    }

    private static VideoDevice ReadVideo(XElement element)
    {
        var model = element.RequiredElement("model");
        return new VideoDevice
        {
            Model = DomainWords.VideoModels.Read(model.Required("type")) ?? default,
            Memory = model.Attribute("vram").Number(1, (int)LargestVideoMemoryKiB) is { } kib ? new ByteCount(kib * 1024L) : null,
        };
    }

    private static IEnumerable<object?> WriteVideo(VideoDevice video) =>
    [
        new XElement(
            "model",
            new XAttribute("type", DomainWords.VideoModels[video.Model]),
            OptionalAttribute("vram", video.Memory is { } memory ? memory.Bytes / 1024 : null)),
    ];

    private static InputDevice ReadInput(XElement element) => new()
    {
        Kind = DomainWords.InputKinds.Read(element.Required("type")) ?? default,
        Bus = DomainWords.InputBuses.Read(element.Attribute("bus"))
            ?? (element.Attribute("type")!.Value == "tablet" ? InputBus.Usb : InputBus.Ps2),
    };

    private static IEnumerable<object?> WriteInput(InputDevice input) =>
    [
        new XAttribute("type", DomainWords.InputKinds[input.Kind]),
        new XAttribute("bus", DomainWords.InputBuses[input.Bus]),
    ];
}
