namespace Coppice.Core;

/// <summary>
/// Where a device sits in the guest. A memory image needs it unchanged (libvirt formatdomain, <c>&lt;address&gt;</c>).
/// </summary>
public abstract record DeviceAddress;

/// <summary>A function on a PCI bus. The PCI domain is always 0.</summary>
/// <param name="Bus">The bus: 0, or the index of the PCI controller that provides it.</param>
/// <param name="Slot">0 to 31.</param>
/// <param name="Function">0 to 7.</param>
/// <param name="Multifunction">Whether the slot has more functions; given on function 0.</param>
public sealed record PciAddress(int Bus, int Slot, int Function, bool Multifunction = false) : DeviceAddress
{
    /// <summary>As <c>lspci</c> writes it: <c>00:1f.2</c>.</summary>
    public override string ToString() => $"{Bus:x2}:{Slot:x2}.{Function}";
}

/// <summary>A place on an IDE, SATA or SCSI controller.</summary>
/// <param name="Controller">The index of the controller.</param>
/// <param name="Bus">The IDE channel; 0 elsewhere.</param>
/// <param name="Target">The SCSI target; 0 elsewhere.</param>
/// <param name="Unit">The IDE device, SATA port or SCSI logical unit.</param>
public sealed record DriveAddress(int Controller, int Bus, int Target, int Unit) : DeviceAddress
{
    /// <summary>As <c>controller:bus:target:unit</c>.</summary>
    public override string ToString() => $"{Controller}:{Bus}:{Target}:{Unit}";
}

/// <summary>A port of a virtio-serial controller.</summary>
/// <param name="Controller">The index of the controller.</param>
/// <param name="Bus">Always 0 in QEMU.</param>
/// <param name="Port">0 to 30; port 0 is for a console.</param>
public sealed record VirtioSerialAddress(int Controller, int Bus, int Port) : DeviceAddress
{
    /// <summary>As <c>controller:bus:port</c>.</summary>
    public override string ToString() => $"{Controller}:{Bus}:{Port}";
}

/// <summary>
/// A transport for a virtio device on a machine without PCI: the one whose number is the device's place among those with such
/// an address.
/// </summary>
public sealed record VirtioMmioAddress : DeviceAddress
{
    /// <summary>As libvirt writes it.</summary>
    public override string ToString() => "virtio-mmio";
}

/// <summary>A port of a USB controller.</summary>
/// <param name="Bus">The index of the controller.</param>
/// <param name="Port">The port, dotted behind hubs: <c>1.2</c>.</param>
public sealed record UsbAddress(int Bus, string Port) : DeviceAddress
{
    /// <summary>As <c>bus:port</c>.</summary>
    public override string ToString() => $"{Bus}:{Port}";
}
