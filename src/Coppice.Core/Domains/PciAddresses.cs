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

        PlaceCompanions(devices, machine);
        var rootPorts = devices.OfType<ControllerDevice>().Where(c => c.Model == ControllerModel.PcieRootPort);
        var buses = rootPorts.Select(c => c.Index).ToHashSet();
        var cards = devices.OfType<NetworkDevice>().Count(n => n.Address is null && IsExpress(n));
        var occupied = OccupiedSlots(devices);
        devices.Assign(
            "a PCI slot", NeedsSlot,
            device => BehindPorts(device, buses, cards)
                .Concat(OnFirstBus(device, machine).Where(a => !occupied.Contains(a.Slot))),
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
        WatchdogDevice watchdog => watchdog.Model == WatchdogModel.I6300Esb,
        _ => device is NetworkDevice or RandomDevice or SoundDevice,
    };

    private static bool IsExpress(Device device) => device switch
    {
        DiskDevice or RandomDevice or BalloonDevice => true,
        NetworkDevice card => card.Model != NetworkModel.E1000,
        ControllerDevice { Kind: ControllerKind.VirtioSerial } => true,
        ControllerDevice controller => controller.Model is ControllerModel.QemuXhci or ControllerModel.VirtioScsi,
        _ => false,
    };

    // Who declares ports wants devices behind them. The first are for network cards, as with libvirt, because guests name
    // cards by their slot.
    private static List<PciAddress> BehindPorts(Device device, IEnumerable<int> buses, int cards)
    {
        var ports = buses.Order().Select(bus => new PciAddress(bus, 0, 0)).ToList();
        return !IsExpress(device) ? [] : device is NetworkDevice ? ports : [.. ports.Skip(cards), .. ports.Take(cards)];
    }

    private static HashSet<int> OccupiedSlots(DeviceSlots devices) =>
        [.. devices.OfType<Device>().Select(d => d.Address).OfType<PciAddress>().Where(a => a.Bus == 0).Select(a => a.Slot)];

    // Guests look for an EHCI controller and its companions in one slot, where the ICH9 has them.
    private static void PlaceCompanions(DeviceSlots devices, MachineFamily machine)
    {
        var usb = devices.OfType<ControllerDevice>().Where(c => c.Kind == ControllerKind.Usb).ToLookup(c => c.Index);
        foreach (var group in usb.Where(g => g.Any(c => c.FirstPort is not null)))
        {
            var occupied = OccupiedSlots(devices);
            var place = group.Select(c => c.Address).OfType<PciAddress>().FirstOrDefault()
                ?? machine.FreeSlots.Where(s => !occupied.Contains(s)).Select(s => new PciAddress(0, s, 0)).FirstOrDefault()
                ?? throw devices.Refuse(group.First(), "there is no room for it: it needs a PCI slot", "remove a device");
            var first = group.Min(Function);
            devices.Replace<ControllerDevice>(c => c is { Kind: ControllerKind.Usb, Address: null } && c.Index == group.Key
                ? c with { Address = Function(c) == first ? place with { Function = 0, Multifunction = true } : At(place, c) }
                : c);
        }

        static PciAddress At(PciAddress place, ControllerDevice controller) =>
            new(place.Bus, place.Slot, Function(controller));
    }

    private static int Function(ControllerDevice controller) => controller.Model switch
    {
        ControllerModel.Ich9Uhci1 => 0, ControllerModel.Ich9Uhci2 => 1, ControllerModel.Ich9Uhci3 => 2, _ => 7,
    };

    private static IEnumerable<PciAddress> OnFirstBus(Device device, MachineFamily machine)
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
