namespace Coppice.Core;

/// <summary>PCI slots. What has none is put on the machine's first bus, function 0 of a slot of its own.</summary>
internal static class PciAddresses
{
    private static readonly EqualityComparer<PciAddress> SameFunction = EqualityComparer<PciAddress>.Create(
        (left, right) => left! with { Multifunction = false } == right! with { Multifunction = false },
        address => (address with { Multifunction = false }).GetHashCode());

    /// <exception cref="CoppiceException">An address is taken or on a bus that does not exist, or there is no room.</exception>
    public static void Assign(DeviceSlots devices, MachineFamily machine)
    {
        var book = new AddressBook<PciAddress>(devices.Domain, SameFunction);
        foreach (var (address, owner) in machine.BuiltIn)
        {
            book.Take(address, owner);
        }

        PlaceDriveController(devices, machine, book);
        foreach (var other in devices.OfType<OtherDevice>().Where(d => d.Address is PciAddress))
        {
            book.Take((PciAddress)other.Address!, other.Label);
        }

        var rootPorts = devices.OfType<ControllerDevice>().Where(c => c.Model == ControllerModel.PcieRootPort);
        var buses = rootPorts.Select(c => c.Index).ToHashSet();
        var given = devices.OfType<Device>().Select(d => d.Address).OfType<PciAddress>();
        var occupied = given.Where(a => a.Bus == 0).Select(a => a.Slot).ToHashSet();
        devices.Assign(
            "a PCI slot", NeedsSlot, device => Candidates(device, machine).Where(a => !occupied.Contains(a.Slot)),
            (_, address) => address.Bus == 0 || (buses.Contains(address.Bus) && address.Slot == 0), book);
        devices.Replace<ControllerDevice>(NumberRootPort);
    }

    private static bool NeedsSlot(Device device) => device switch
    {
        DiskDevice disk => disk.Bus == DiskBus.Virtio,
        VideoDevice video => video.Model != VideoModel.None,
        BalloonDevice balloon => balloon.Present,
        ControllerDevice controller =>
            controller.Model is not (ControllerModel.None or ControllerModel.PciRoot or ControllerModel.PcieRoot),
        _ => device is NetworkDevice or RandomDevice,
    };

    private static IEnumerable<PciAddress> Candidates(Device device, MachineFamily machine)
    {
        IEnumerable<int> slots = device is VideoDevice ? [MachineFamily.VideoSlot, .. machine.FreeSlots] : machine.FreeSlots;
        return slots.Select(slot => new PciAddress(0, slot, 0));
    }

    private static void PlaceDriveController(DeviceSlots devices, MachineFamily machine, AddressBook<PciAddress> book)
    {
        var place = machine.DriveControllerAddress;
        var declared = devices.OfType<ControllerDevice>().FirstOrDefault(machine.IsBuiltIn);
        if (declared is null)
        {
            book.Take(place, "the machine's drive controller");
        }
        else if (declared.Address is not null && !SameFunction.Equals(declared.Address as PciAddress, place))
        {
            throw devices.Refuse(
                declared, $"the machine {machine.Name} has it at {place}, not at {declared.Address}", "remove its address");
        }

        devices.Replace<ControllerDevice>(c => machine.IsBuiltIn(c) && c.Address is null ? c with { Address = place } : c);
    }

    // QEMU wants both to be unique; bus and place already are.
    private static ControllerDevice NumberRootPort(ControllerDevice controller) =>
        controller is { Model: ControllerModel.PcieRootPort, Address: PciAddress { Bus: 0 } address }
            ? controller with
            {
                Chassis = controller.Chassis ?? controller.Index, Port = controller.Port ?? (address.Slot << 3) + address.Function,
            }
            : controller;
}
