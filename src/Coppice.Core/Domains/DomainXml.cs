using System.Xml.Linq;

namespace Coppice.Core;

/// <summary>
/// Domains in libvirt's format (libvirt formatdomain). What a document says beyond the model is kept and written back; it
/// shows in <see cref="DomainDefinition.Obstacles"/> if a start must be refused for it. Reading what was written gives an
/// equal definition.
/// </summary>
public static partial class DomainXml
{
    /// <summary>The longest document that is read, in bytes of UTF-8; check a file's length against it before reading.</summary>
    public const int MaximumBytes = SafeXml.MaximumBytes;

    /// <summary>Reads a document that has a uuid, such as one that <see cref="Format"/> wrote.</summary>
    /// <exception cref="CoppiceException">
    /// It is not a sound definition (<see cref="ErrorKind.InvalidInput"/>) or hostile (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static DomainDefinition Parse(string xml) => Read(SafeXml.Load(xml, "domain XML"));

    /// <summary>
    /// Reads a document that a user wrote. Makes a uuid, the MAC addresses and, for an empty <c>&lt;genid/&gt;</c>, a
    /// generation id where there are none.
    /// </summary>
    /// <param name="xml">The document.</param>
    /// <param name="ids">Where new ids come from.</param>
    /// <exception cref="CoppiceException">
    /// It is not a sound definition (<see cref="ErrorKind.InvalidInput"/>) or hostile (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static DomainDefinition Parse(string xml, IdSource ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var root = SafeXml.Load(xml, "domain XML");
        if (root.Name == "domain" && root.Element("uuid") is null)
        {
            root.Add(new XElement("uuid", ids.NextGuid()));
        }

        if (root.Element("genid") is { Value: "" } generation)
        {
            generation.Value = ids.NextGuid().ToString("D");
        }

        var definition = Read(root);
        return definition with { Devices = [.. definition.Devices.Select(WithMac)] };

        Device WithMac(Device device) => device is NetworkDevice { Mac: null } card ? card with { Mac = ids.NextMac() } : device;
    }

    /// <summary>Refuses what <see cref="Parse(string)"/> would keep without knowing it, so that it prevented a start.</summary>
    /// <exception cref="CoppiceException">
    /// It is no XML, or has an element or attribute that Coppice does not know, which is named with its line
    /// (<see cref="ErrorKind.InvalidInput"/>); or it is hostile (<see cref="ErrorKind.Forbidden"/>).
    /// </exception>
    public static void Validate(string xml) => DomainGrammar.Check(SafeXml.Load(xml, "domain XML"));

    /// <summary>Writes a document.</summary>
    /// <exception cref="CoppiceException">
    /// A value has a character that XML cannot hold (<see cref="ErrorKind.InvalidInput"/>).
    /// </exception>
    public static string Format(DomainDefinition definition) => SafeXml.ToDocument(Write(definition, "domain"));

    /// <summary>Reads a domain that is part of another document; the element is used up.</summary>
    internal static DomainDefinition Read(XElement root)
    {
        if (root.Name.LocalName is not ("domain" or "inactiveDomain") || root.Name.Namespace != XNamespace.None)
        {
            throw root.Refuse("this is not a domain", "give a document with the root element <domain>");
        }

        ControllerIndexes.Fill(root);
        var remainder = Remainders.Take(root, "");
        var devices = root.Elements("devices").Elements().Where(e => e.Name != "emulator").Select(ReadDevice).ToList();
        var definition = ReadGuest(root) with
        {
            Emulator = root.Element("devices")?.Element("emulator").AbsolutePath(),
            Devices = [.. devices],
            Remainder = remainder,
        };
        DomainChecks.Check(definition, root);
        return definition;
    }

    /// <summary>Writes a domain as a part of another document.</summary>
    internal static XElement Write(DomainDefinition definition, string elementName)
    {
        var root = new XElement(elementName, new XAttribute("type", definition.Type), WriteGuest(definition));
        Remainders.Restore(root, "", definition.Remainder);
        var devices = new XElement("devices");
        if (definition.Emulator is not null)
        {
            devices.Add(new XElement("emulator", definition.Emulator));
        }

        devices.Add(definition.Devices.Select(WriteDevice));
        root.Add(devices);
        return root;
    }

    /// <summary>The name of the element that a device is written as.</summary>
    internal static string ElementOf(Device device) => device switch
    {
        DiskDevice => "disk",
        NetworkDevice => "interface",
        CharacterDevice character => DomainWords.CharacterRoles[character.Role],
        GraphicsDevice => "graphics",
        VideoDevice => "video",
        RandomDevice => "rng",
        BalloonDevice => "memballoon",
        ControllerDevice => "controller",
        InputDevice => "input",
        SoundDevice => "sound",
        WatchdogDevice => "watchdog",
        TpmDevice => "tpm",
        OtherDevice other => other.Element,
        _ => throw new InvalidOperationException($"there is no element for {device.GetType().Name}"),
    };

    private static Device ReadDevice(XElement element)
    {
        var path = ElementTables.ChildPath("devices", element.Name);
        if (!ElementTables.IsUnderstood(path) || ElementTables.Mismatch(element, path) is not null)
        {
            RefuseStrangeDisk(element, path);
            return new OtherDevice(element.Name.LocalName)
            {
                Remainder = Remainders.Whole(element), Address = AddressToKeepFree(element),
            };
        }

        var remainder = Remainders.Take(element, path);
        Device device = element.Name.LocalName switch
        {
            "disk" => ReadDisk(element),
            "interface" => ReadNetwork(element),
            "graphics" => ReadGraphics(element),
            "video" => ReadVideo(element),
            "rng" => ReadRandom(element),
            "memballoon" => new BalloonDevice { Present = element.Required("model").Value == "virtio" },
            "controller" => ReadController(element),
            "input" => ReadInput(element),
            "sound" => ReadSound(element),
            "watchdog" => ReadWatchdog(element),
            "tpm" => ReadTpm(element),
            _ => ReadCharacter(element),
        };
        return device with { Address = ReadAddress(element), Remainder = remainder };
    }

    private static XElement WriteDevice(Device device)
    {
        if (device is OtherDevice)
        {
            return device.Remainder is { } whole ? SafeXml.Read(whole) : new XElement(ElementOf(device));
        }

        var element = new XElement(ElementOf(device), device switch
        {
            DiskDevice disk => WriteDisk(disk),
            NetworkDevice card => WriteNetwork(card),
            CharacterDevice character => WriteCharacter(character),
            GraphicsDevice graphics => WriteGraphics(graphics),
            VideoDevice video => WriteVideo(video),
            RandomDevice random => WriteRandom(random),
            BalloonDevice balloon => [new XAttribute("model", balloon.Present ? "virtio" : "none")],
            ControllerDevice controller => WriteController(controller),
            InputDevice input => WriteInput(input),
            SoundDevice sound => [new XAttribute("model", DomainWords.SoundModels[sound.Model])],
            WatchdogDevice watchdog => WriteWatchdog(watchdog),
            TpmDevice tpm => WriteTpm(tpm),
            _ => throw new InvalidOperationException($"there is no writer for {device.GetType().Name}"),
        });
        if (device.Address is not null)
        {
            element.Add(WriteAddress(device.Address));
        }

        Remainders.Restore(element, $"devices/{ElementOf(device)}", device.Remainder);
        return element;
    }
}
