using System.Xml.Linq;

namespace Coppice.Core;

/// <content>UEFI firmware.</content>
public static partial class DomainXml
{
    // A loader without a type is a BIOS of the user's own, which QEMU would load elsewhere.
    private static FirmwareSettings? ReadFirmware(XElement os)
    {
        var (chosen, loader, nvram) = (os.Attribute("firmware") is not null, os.Element("loader"), os.Element("nvram"));
        var code = loader is { IsEmpty: false } and not { Value: "" } ? loader.AbsolutePath() : null;
        if (!chosen && code is null)
        {
            return (loader ?? nvram ?? os.Element("firmware")) is { } part
                ? throw part.Refuse("it is about UEFI firmware, and no firmware is named", "add firmware='efi' to <os>, or the path in <loader>")
                : null;
        }

        if (code is not null && !chosen && loader!.Attribute("type") is null)
        {
            throw loader.Refuse("it does not say what kind of firmware it is", "add type='pflash' for UEFI");
        }

        return new FirmwareSettings
        {
            IsChosen = chosen,
            Features =
            [
                .. from feature in os.Element("firmware")?.Elements("feature") ?? []
                   select new FirmwareFeature(Token(feature.Required("name")), feature.Required("enabled").Flag("yes", "no")!.Value),
            ],
            Code = code,
            Secure = loader?.Attribute("secure").Flag("yes", "no"),
            Template = nvram?.Attribute("template").AbsolutePath(),
            Variables = nvram is null ? null : ReadVariables(nvram),
            VariablesFormat = DomainWords.ImageFormats.Read(nvram?.Attribute("format")) ?? ImageFormat.Raw,
        };
    }

    // Who owns the file depends on where it is, so the path must not hide that.
    private static string? ReadVariables(XElement nvram)
    {
        var path = nvram.Element("source") is { } source ? source.Required("file").AbsolutePath()
            : string.IsNullOrWhiteSpace(nvram.Value) ? null
            : nvram.AbsolutePath();
        return path is null || Path.GetFullPath(path) == path ? path
            : throw nvram.Refuse("the path has empty, '.' or '..' parts", "give the plain path of a file");
    }

    private static IEnumerable<object?> WriteFirmware(FirmwareSettings firmware) =>
    [
        firmware.IsChosen ? new XAttribute("firmware", "efi") : null,
        firmware.Features is [] ? null : new XElement("firmware", firmware.Features.Select(f => new XElement(
            "feature", new XAttribute("enabled", Word(f.Enabled, "yes", "no")!), new XAttribute("name", f.Name)))),
        firmware is { Code: null, Secure: null } ? null : new XElement(
            "loader",
            firmware.Code is null ? null : new XAttribute("readonly", "yes"),
            OptionalAttribute("secure", Word(firmware.Secure, "yes", "no")),
            firmware.Code is null ? null : new XAttribute("type", "pflash"),
            firmware.Code),
        firmware is { Template: null, Variables: null, VariablesFormat: ImageFormat.Raw } ? null : new XElement(
            "nvram",
            OptionalAttribute("template", firmware.Template),
            firmware.VariablesFormat is ImageFormat.Raw ? null : new XAttribute("format", DomainWords.ImageFormats[firmware.VariablesFormat]),
            firmware.Variables),
    ];
}
