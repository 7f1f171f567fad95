namespace Coppice.Core;

/// <summary>Places on IDE, SATA and SCSI controllers.</summary>
internal static class DriveAddresses
{
    private const int SataPorts = 6;

    /// <exception cref="CoppiceException">An address is taken or does not exist, or there is no such controller.</exception>
    public static void Assign(DeviceSlots devices, MachineFamily machine)
    {
        var hasIde = machine.DriveController == ControllerKind.Ide;
        if (!hasIde && devices.OfType<DiskDevice>().FirstOrDefault(d => d.Bus == DiskBus.Ide) is { } disk)
        {
            throw devices.Refuse(disk, $"the machine {machine.Name} has no IDE controller", "use bus='sata'");
        }

        Assign(devices, DiskBus.Ide);
        Assign(devices, DiskBus.Sata);
        AssignScsi(devices);
    }

    /// <summary>The same on a machine that has neither IDE nor SATA.</summary>
    /// <exception cref="CoppiceException">An address is taken or does not exist.</exception>
    public static void AssignScsi(DeviceSlots devices) => Assign(devices, DiskBus.Scsi);

    private static void Assign(DeviceSlots devices, DiskBus bus) => devices.Assign(
        $"a place on the {DomainWords.DiskBuses[bus]} bus", d => d is DiskDevice disk && disk.Bus == bus,
        _ => Places(bus), (_, address) => Exists(bus, address));

    private static IEnumerable<DriveAddress> Places(DiskBus bus) => bus switch
    {
        DiskBus.Ide => [new(0, 0, 0, 0), new(0, 0, 0, 1), new(0, 1, 0, 0), new(0, 1, 0, 1)],
        DiskBus.Sata => Indexes.SelectMany(
            controller => Enumerable.Range(0, SataPorts).Select(unit => new DriveAddress(controller, 0, 0, unit))),
        _ => Indexes.SelectMany(controller => Indexes.Select(target => new DriveAddress(controller, 0, target, 0))),
    };

    private static IEnumerable<int> Indexes => Enumerable.Range(0, DomainXml.HighestIndex + 1);

    private static bool Exists(DiskBus bus, DriveAddress address) => bus switch
    {
        DiskBus.Scsi => address.Bus == 0,
        DiskBus.Sata => address is { Bus: 0, Target: 0, Unit: < SataPorts },
        _ => Places(bus).Contains(address),
    };
}
