using Coppice.Core;

namespace Coppice.Qemu.CommandLine;

/// <summary>The turn of each device when the firmware looks for something to boot.</summary>
internal static class BootTurns
{
    /// <summary>The turns of a definition, from 1; devices that are not tried are missing.</summary>
    public static Dictionary<Device, int> Of(DomainDefinition definition)
    {
        var own = definition.Devices
            .Select(d => (Device: d, Turn: (d as DiskDevice)?.BootOrder ?? (d as NetworkDevice)?.BootOrder ?? 0))
            .Where(d => d.Turn > 0)
            .ToArray();
        var found = own.Length > 0 ? own : Declared(definition);

        // Two devices may be equal in every respect and are two all the same.
        var turns = new Dictionary<Device, int>(ReferenceEqualityComparer.Instance);
        foreach (var (device, turn) in found)
        {
            turns.TryAdd(device, turn);
        }

        return turns;
    }

    private static (Device Device, int Turn)[] Declared(DomainDefinition definition)
    {
        IReadOnlyList<BootDevice> order = definition.Os.BootOrder.Count > 0 ? definition.Os.BootOrder : [BootDevice.HardDisk];
        var found = order.Select(kind => definition.Devices.FirstOrDefault(d => Is(d, kind))).OfType<Device>();
        return [.. found.Select((d, i) => (d, i + 1))];
    }

    private static bool Is(Device device, BootDevice kind) => (kind, device) switch
    {
        (BootDevice.HardDisk, DiskDevice { Kind: DiskKind.Disk }) => true,
        (BootDevice.Cdrom, DiskDevice { Kind: DiskKind.Cdrom }) => true,
        (BootDevice.Network, NetworkDevice) => true,
        _ => false,
    };
}
