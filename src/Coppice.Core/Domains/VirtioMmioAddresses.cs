namespace Coppice.Core;

/// <summary>
/// The transports of a machine without PCI. libvirt's address has no number, so the place of a device among those that have
/// such an address is its transport.
/// </summary>
internal static class VirtioMmioAddresses
{
    /// <summary>How many transports a microvm has with one interrupt controller.</summary>
    private const int Transports = 8;

    private const string Instead = "use virtio, or the machine pc or q35";

    /// <summary>Gives a transport to each virtio device.</summary>
    /// <exception cref="CoppiceException">There are too many, or one has an address of another kind.</exception>
    public static void Assign(DeviceSlots devices)
    {
        devices.Replace<Device>(d => Needs(d) && d.Address is null ? d with { Address = new VirtioMmioAddress() } : d);
        if (devices.OfType<Device>().FirstOrDefault(d => Needs(d) && d.Address is not VirtioMmioAddress) is { } elsewhere)
        {
            throw devices.Refuse(
                elsewhere, $"the machine microvm has no such address as {elsewhere.Address}", "remove it to have one chosen");
        }

        if (devices.OfType<Device>().Where(Needs).Skip(Transports).FirstOrDefault() is { } tooMany)
        {
            throw devices.Refuse(
                tooMany, $"there is no room for it: the machine microvm has {Transports} places for virtio devices", "remove a device");
        }
    }

    /// <summary>Names what the machine does not have.</summary>
    /// <exception cref="CoppiceException">The definition asks for it (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public static void RefuseMissing(DomainDefinition definition)
    {
        var missing = definition switch
        {
            { Os.Firmware: not null } => "UEFI firmware",
            { GenerationId: not null } => "<genid>",
            { VmwarePort: true } => "<vmport>",
            { ManagementMode: true } => "<smm>",
            { Sleep: { ToMemory: true } or { ToDisk: true } } => "<pm>",
            _ when definition.Clock.Timers.Any(t => t is { Name: "hpet", Present: true }) => "<timer name='hpet'>",
            _ => definition.Devices.Where(IsMissing).Select(d => d.Label).FirstOrDefault(),
        };
        if (missing is not null)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"domain '{definition.Name}', {missing}", "the machine microvm has no such thing", Instead);
        }
    }

    private static bool Needs(Device device) => device switch
    {
        DiskDevice disk => disk.Bus == DiskBus.Virtio,
        BalloonDevice balloon => balloon.Present,
        ControllerDevice controller => controller.Kind is ControllerKind.VirtioSerial or ControllerKind.Scsi,
        _ => device is NetworkDevice or RandomDevice,
    };

    private static bool IsMissing(Device device) => device switch
    {
        DiskDevice disk => disk.Bus is DiskBus.Ide or DiskBus.Sata,
        NetworkDevice network => network.Model is not NetworkModel.Virtio,
        VideoDevice video => video.Model is not VideoModel.None,
        ControllerDevice { Kind: ControllerKind.Usb } controller => controller.Model is not ControllerModel.None,
        ControllerDevice controller => controller.Kind is ControllerKind.Pci or ControllerKind.Ide or ControllerKind.Sata,
        _ => device is InputDevice or SoundDevice or WatchdogDevice or TpmDevice or GraphicsDevice,
    };
}
