namespace Coppice.Core;

/// <summary>Controllers that no one declared but that addresses speak of.</summary>
internal static class ImpliedControllers
{
    /// <summary>The USB controller of a domain that declares none and has USB devices.</summary>
    public static ControllerDevice Usb { get; } = new() { Kind = ControllerKind.Usb, Model = ControllerModel.QemuXhci };

    /// <summary>Adds them, and names the models of those that left it open.</summary>
    public static void Add(DeviceSlots devices)
    {
        devices.Replace<ControllerDevice>(c => c.Model == ControllerModel.Default ? c with { Model = UsualModel(c.Kind) } : c);
        var declared = devices.OfType<ControllerDevice>().Select(c => (c.Kind, c.Index)).ToHashSet();
        var spokenOf = devices.OfType<DiskDevice>().Where(d => d.Address is DriveAddress)
            .Select(d => (Kind: KindOf(d.Bus), Index: ((DriveAddress)d.Address!).Controller))
            .Concat(devices.OfType<Device>().Select(d => d.Address).OfType<VirtioSerialAddress>()
                .Select(a => (Kind: ControllerKind.VirtioSerial, Index: a.Controller)))
            .Concat(devices.OfType<Device>().Select(d => d.Address).OfType<UsbAddress>()
                .Select(a => (Kind: ControllerKind.Usb, Index: a.Bus)));
        foreach (var (kind, index) in spokenOf.Distinct().Order().Where(c => !declared.Contains(c)).ToList())
        {
            devices.Add(new ControllerDevice { Kind = kind, Index = index, Model = UsualModel(kind) });
        }
    }

    private static ControllerKind KindOf(DiskBus bus) => bus switch
    {
        DiskBus.Ide => ControllerKind.Ide,
        DiskBus.Sata => ControllerKind.Sata,
        _ => ControllerKind.Scsi,
    };

    private static ControllerModel UsualModel(ControllerKind kind) => kind switch
    {
        ControllerKind.Scsi => ControllerModel.VirtioScsi,
        ControllerKind.Usb => ControllerModel.QemuXhci,
        _ => ControllerModel.Default,
    };

    /// <summary>Names what the machine cannot have.</summary>
    /// <exception cref="CoppiceException">There is such a controller or watchdog.</exception>
    public static void RefuseMisplaced(DeviceSlots devices, MachineFamily machine)
    {
        var isQ35 = machine.DriveController == ControllerKind.Sata;
        if (!isQ35 && devices.OfType<WatchdogDevice>().FirstOrDefault(w => w.Model == WatchdogModel.Itco) is { } watchdog)
        {
            throw devices.Refuse(watchdog, $"the machine {machine.Name} has none", "use model='i6300esb'");
        }

        foreach (var controller in devices.OfType<ControllerDevice>())
        {
            var problem = controller switch
            {
                { Kind: ControllerKind.Ide } when isQ35 || controller.Index > 0 =>
                    $"the machine {machine.Name} has no such IDE controller",
                { Model: ControllerModel.PciRoot } when isQ35 => "the machine q35 begins with a pcie-root",
                { Model: ControllerModel.PcieRoot or ControllerModel.PcieRootPort } when !isQ35 =>
                    "the machine pc has no PCI Express",
                { Model: ControllerModel.PciRoot or ControllerModel.PcieRoot, Index: > 0 } => "the first PCI bus has index 0",
                { Model: ControllerModel.PcieRootPort, Index: 0 } => "index 0 is the machine's own bus",
                _ => null,
            };
            if (problem is not null)
            {
                throw devices.Refuse(controller, problem, "correct or remove the controller");
            }
        }
    }
}
