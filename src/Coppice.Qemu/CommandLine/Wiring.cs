using Coppice.Core;

namespace Coppice.Qemu.CommandLine;

/// <summary>Where devices are plugged in, as QEMU names its buses.</summary>
internal sealed class Wiring(DomainDefinition definition)
{
    /// <summary>Whether the machine has PCI Express.</summary>
    public bool IsQ35 { get; } = definition.Os.Machine?.Contains("q35", StringComparison.Ordinal) == true;

    // Two devices may be equal in every respect and are two all the same.
    private readonly Dictionary<Device, int> _transports = definition.Devices
        .Where(d => d.Address is VirtioMmioAddress)
        .Select((d, i) => KeyValuePair.Create(d, i))
        .ToDictionary(ReferenceEqualityComparer.Instance);

    /// <summary>What QEMU calls a virtio device on the bus of this machine.</summary>
    public string Virtio(string kind) => definition.Os.IsMicrovm ? $"virtio-{kind}-device" : $"virtio-{kind}-pci";

    /// <summary>Plugs a PCI or virtio device in; one without an address goes where QEMU puts it.</summary>
    public QemuOption Plug(QemuOption option, Device device) => device.Address switch
    {
        PciAddress pci => Pci(option, pci),
        VirtioMmioAddress => option.With("bus", $"virtio-mmio-bus.{_transports[device]}"),
        _ => option,
    };

    /// <summary>Why a drive cannot be plugged in or taken out while the guest runs; null if it can.</summary>
    public string? WhyFixed(DiskDevice disk) => disk.Bus switch
    {
        DiskBus.Ide => "the IDE bus is fixed while the guest runs",
        DiskBus.Sata => "the SATA bus is fixed while the guest runs",
        _ => WhySlotIsFixed(disk),
    };

    /// <summary>The same of a device that has a slot of its own.</summary>
    public string? WhySlotIsFixed(Device device) => device.Address switch
    {
        VirtioMmioAddress => "what a microvm has is fixed while the guest runs",
        PciAddress { Bus: 0 } when IsQ35 => "it sits on the first bus of a q35 machine, which is fixed while the guest runs",
        PciAddress { Bus: 0 } when !definition.Features.HasFlag(MachineFeatures.Acpi) =>
            "without <features><acpi/></features> the first bus is fixed while the guest runs",
        PciAddress slot when definition.Devices.FirstOrDefault(d => !ReferenceEquals(d, device) && IsIn(d, slot)) is { } other =>
            $"it shares its slot with {other.Label}, and a guest lets go of whole slots",
        _ => null,
    };

    private static bool IsIn(Device device, PciAddress slot) =>
        device.Address is PciAddress at && (at.Bus, at.Slot) == (slot.Bus, slot.Slot);

    /// <summary>Plugs a drive in.</summary>
    public QemuOption Drive(QemuOption device, DiskDevice disk) => (disk.Bus, disk.Address) switch
    {
        (DiskBus.Virtio, _) => Plug(device, disk),
        (DiskBus.Ide, DriveAddress at) => device.With("bus", $"ide.{at.Bus}").With("unit", at.Unit),

        // The first AHCI controller of q35 is on the board, and its ports are called like IDE channels.
        (DiskBus.Sata, DriveAddress at) =>
            device.With("bus", IsQ35 && at.Controller == 0 ? $"ide.{at.Unit}" : $"sata{at.Controller}.{at.Unit}"),
        (DiskBus.Scsi, DriveAddress at) => device
            .With("bus", $"scsi{at.Controller}.0").With("channel", 0).With("scsi-id", at.Target).With("lun", at.Unit),
        _ => device,
    };

    /// <summary>Plugs a port of a virtio-serial controller in.</summary>
    public static QemuOption VirtioSerial(QemuOption device, DeviceAddress? address) => address is VirtioSerialAddress at
        ? device.With("bus", $"virtio-serial{at.Controller}.{at.Bus}").With("nr", at.Port)
        : device;

    /// <summary>Plugs a USB device in.</summary>
    public static QemuOption Usb(QemuOption device, DeviceAddress? address) =>
        address is UsbAddress at ? device.With("bus", $"usb{at.Bus}.0").With("port", at.Port) : device;

    /// <summary>Whether a controller is on the board, so that it is not added.</summary>
    public bool IsOnBoard(ControllerDevice controller) => controller switch
    {
        { Kind: ControllerKind.Pci, Model: ControllerModel.PciRoot or ControllerModel.PcieRoot } => true,
        { Kind: ControllerKind.Pci, Model: ControllerModel.Default, Index: 0 } => true,
        { Kind: ControllerKind.Ide } => true,
        { Kind: ControllerKind.Sata, Index: 0 } => IsQ35,
        { Kind: ControllerKind.Usb, Model: ControllerModel.None } => true,
        _ => false,
    };

    private QemuOption Pci(QemuOption option, PciAddress address)
    {
        var plugged = option.With("bus", address.Bus > 0 ? $"pci.{address.Bus}" : IsQ35 ? "pcie.0" : "pci.0");
        return (address.Multifunction ? plugged.With("multifunction", true) : plugged)
            .With("addr", address.Function == 0 ? $"0x{address.Slot:x}" : $"0x{address.Slot:x}.0x{address.Function:x}");
    }
}
