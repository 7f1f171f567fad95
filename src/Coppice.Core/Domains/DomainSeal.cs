namespace Coppice.Core;

/// <summary>
/// The part of the seal that needs no hypervisor: every device gets the address that a memory image will look for it at.
/// Machine type and CPU are resolved by the driver, before.
/// </summary>
public static class DomainSeal
{
    /// <summary>The last port of a virtio-serial controller.</summary>
    internal const int HighestVirtioSerialPort = 30;

    /// <summary>How many ports the USB 2 function of the ICH9 has.</summary>
    internal const int EhciPorts = 6;

    /// <summary>How many ports QEMU gives a qemu-xhci at most.</summary>
    internal const int MostXhciPorts = 15;

    /// <summary>
    /// Gives an address to every device that needs one and has none, adds the controllers that the addresses speak of and the
    /// serial port that a lone console is another name for, and numbers serial ports and consoles. What is given stays, so
    /// that a device added later never moves another, and doing it again changes nothing.
    /// </summary>
    /// <exception cref="CoppiceException">
    /// Two devices have the same address, one has an address that does not exist, or there is no room
    /// (<see cref="ErrorKind.InvalidInput"/>); the machine type is not known (<see cref="ErrorKind.MissingCapability"/>).
    /// </exception>
    public static DomainDefinition AssignAddresses(DomainDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        var devices = new DeviceSlots(definition.Name, definition.Devices);
        AddSerialOfConsole(devices);
        NumberPorts(devices);
        AssignVirtioSerial(devices);
        if (definition.Os.IsMicrovm)
        {
            VirtioMmioAddresses.RefuseMissing(definition);
            DriveAddresses.AssignScsi(devices);
            ImpliedControllers.Add(devices);
            VirtioMmioAddresses.Assign(devices);
        }
        else
        {
            var machine = MachineFamily.Of(definition);
            DriveAddresses.Assign(devices, machine);
            AssignUsb(devices);
            ImpliedControllers.RefuseMisplaced(devices, machine);
            ImpliedControllers.Add(devices);
            PciAddresses.Assign(devices, machine);
        }

        return definition with { Devices = devices.ToList() };
    }

    private static void AddSerialOfConsole(DeviceSlots devices)
    {
        var characters = devices.OfType<CharacterDevice>().ToList();
        if (characters.FirstOrDefault(c => c.Role == CharacterRole.Console) is { Target: CharacterTarget.Serial } console
            && characters.All(c => c.Role != CharacterRole.Serial))
        {
            devices.Add(console with { Role = CharacterRole.Serial, Target = CharacterTarget.IsaSerial, Remainder = null });
        }
    }

    private static void AssignVirtioSerial(DeviceSlots devices)
    {
        var counts = devices.OfType<ControllerDevice>()
            .Where(c => c is { Kind: ControllerKind.VirtioSerial, Ports: not null })
            .ToDictionary(c => c.Index, c => c.Ports!.Value);
        devices.Assign(
            "a virtio-serial port", d => d is CharacterDevice { Target: CharacterTarget.Virtio },
            Places, (device, address) => Places(device).Contains(address));

        IEnumerable<VirtioSerialAddress> Places(Device device)
        {
            var lowest = device is CharacterDevice { Role: CharacterRole.Console } ? 0 : 1;
            return
                from controller in Enumerable.Range(0, DomainXml.HighestIndex + 1)
                from port in Enumerable.Range(lowest, counts.GetValueOrDefault(controller, HighestVirtioSerialPort + 1) - lowest)
                select new VirtioSerialAddress(controller, 0, port);
        }
    }

    private static void AssignUsb(DeviceSlots devices)
    {
        var controllers = devices.OfType<ControllerDevice>().Where(c => c.Kind == ControllerKind.Usb).ToList();
        if (controllers.Count == 0)
        {
            controllers.Add(ImpliedControllers.Usb);
        }

        var ports = controllers
            .SelectMany(c => Enumerable.Range(1, UsbPorts(c)).Select(port => new UsbAddress(c.Index, $"{port}")))
            .ToList();
        devices.Assign(
            "a USB port", d => d is InputDevice { Bus: InputBus.Usb }, _ => ports,
            (_, address) => ports.Any(p => p.Bus == address.Bus && p.Port == address.Port.Split('.')[0]));
    }

    // The ports of a companion are those of its master.
    private static int UsbPorts(ControllerDevice controller) => controller.Model switch
    {
        ControllerModel.None => 0,
        ControllerModel.QemuXhci => controller.Ports ?? 4,
        ControllerModel.Ich9Ehci1 => EhciPorts,
        _ => controller.FirstPort is null ? 2 : 0,
    };

    private static void NumberPorts(DeviceSlots devices)
    {
        foreach (var role in new[] { CharacterRole.Serial, CharacterRole.Console })
        {
            var numbers = new AddressBook<int>(devices.Domain);
            foreach (var given in devices.OfType<CharacterDevice>().Where(c => c.Role == role && c.Port is not null))
            {
                numbers.Take(given.Port!.Value, given.Label);
            }

            var most = role == CharacterRole.Serial ? DomainXml.MostSerialPorts : int.MaxValue;
            devices.Replace<CharacterDevice>(c => c.Role != role || c.Port is not null ? c
                : c with { Port = numbers.First(Enumerable.Range(0, most), c.Label, "a port number") });
        }
    }
}
