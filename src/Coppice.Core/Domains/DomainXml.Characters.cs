using System.Xml.Linq;

namespace Coppice.Core;

/// <content>Serial ports, consoles and channels.</content>
public static partial class DomainXml
{
    /// <summary>How many serial ports the ISA bus has room for.</summary>
    internal const int MostSerialPorts = 4;

    private static CharacterDevice ReadCharacter(XElement element)
    {
        var role = element.Name.LocalName switch
        {
            "serial" => CharacterRole.Serial,
            "console" => CharacterRole.Console,
            _ => CharacterRole.Channel,
        };
        var backend = DomainWords.CharacterBackends.Read(element.Required("type")) ?? default;
        var target = role == CharacterRole.Channel ? element.RequiredElement("target") : element.Element("target");
        var path = backend is CharacterBackend.Unix or CharacterBackend.File
            ? element.Element("source")?.Attribute("path").AbsolutePath()
            : null;
        if (backend == CharacterBackend.File && path is null)
        {
            throw element.Refuse("the file is not named", "add <source path='…'/>");
        }

        return new CharacterDevice
        {
            Role = role,
            Backend = backend,
            Path = path,
            Target = DomainWords.CharacterTargets.Read(target?.Attribute("type")) ?? UsualTarget(role),
            Port = target?.Attribute("port").Number(0, role == CharacterRole.Serial ? MostSerialPorts - 1 : int.MaxValue),
            Name = target?.Attribute("name") is { } name ? Token(name) : null,
        };
    }

    private static IEnumerable<object?> WriteCharacter(CharacterDevice character) =>
    [
        new XAttribute("type", DomainWords.CharacterBackends[character.Backend]),
        character.Path is null
            ? null
            : new XElement(
                "source",
                character.Backend == CharacterBackend.Unix ? new XAttribute("mode", "bind") : null,
                new XAttribute("path", character.Path)),
        new XElement(
            "target",
            new XAttribute("type", DomainWords.CharacterTargets[character.Target]),
            OptionalAttribute("port", character.Port),
            OptionalAttribute("name", character.Name)),
    ];

    private static CharacterTarget UsualTarget(CharacterRole role) => role switch
    {
        CharacterRole.Serial => CharacterTarget.IsaSerial,
        CharacterRole.Console => CharacterTarget.Serial,
        _ => CharacterTarget.Virtio,
    };
}
