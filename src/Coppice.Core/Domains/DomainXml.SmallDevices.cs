using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Random numbers, sound, watchdogs, TPMs.</content>
public static partial class DomainXml
{
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

    private static SoundDevice ReadSound(XElement element) =>
        new() { Model = DomainWords.SoundModels.Read(element.Required("model")) ?? default };

    private static WatchdogDevice ReadWatchdog(XElement element) => new()
    {
        Model = DomainWords.WatchdogModels.Read(element.Required("model")) ?? default,
        Action = DomainWords.WatchdogActions.Read(element.Attribute("action")) ?? WatchdogAction.Reset,
    };

    private static IEnumerable<object?> WriteWatchdog(WatchdogDevice watchdog) =>
    [
        new XAttribute("model", DomainWords.WatchdogModels[watchdog.Model]),
        new XAttribute("action", DomainWords.WatchdogActions[watchdog.Action]),
    ];

    // The tables let only a version 2.0 through. libvirt makes an obsolete 1.2 of a tpm-tis that names none.
    private static TpmDevice ReadTpm(XElement element)
    {
        element.RequiredElement("backend").Required("type");
        return new() { Model = DomainWords.TpmModels.Read(element.Attribute("model")) ?? TpmModel.Tis };
    }

    private static IEnumerable<object?> WriteTpm(TpmDevice tpm) =>
    [
        new XAttribute("model", DomainWords.TpmModels[tpm.Model]),
        new XElement("backend", new XAttribute("type", "emulator"), new XAttribute("version", "2.0")),
    ];
}
