using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.CommandLine;

/// <summary>The drives: their chains as block nodes, and the devices that the guest sees.</summary>
internal static class DriveArguments
{
    public static IEnumerable<string> Of(LaunchRequest request, Wiring wiring, IReadOnlyDictionary<Device, int> turns)
    {
        var open = new List<Layer>();
        foreach (var disk in request.Definition.Disks)
        {
            var chain = request.Disks.FirstOrDefault(d => d.Target == disk.Target)?.Beside(open);
            open.AddRange(chain?.Layers ?? []);
            var (node, blockdev) = Images(disk, chain);
            if (blockdev is not null)
            {
                yield return "-blockdev";
                yield return blockdev.ToJsonString();
            }

            yield return "-device";
            yield return Device(disk, node, wiring, turns.TryGetValue(disk, out var turn) ? turn : null).ToString();
        }
    }

    /// <summary>A drive for a guest that runs: its chain, and the device; firmware has no part in it.</summary>
    public static (JsonObject Images, JsonObject Device) Hot(DiskDevice disk, DiskChain chain, Wiring wiring)
    {
        var (node, images) = Images(disk, chain);
        return (images!, Device(disk, node, wiring, turn: null).ToDevice());
    }

    private static (string? Node, JsonObject? Blockdev) Images(DiskDevice disk, DiskChain? chain)
    {
        var readOnly = !disk.IsWritten;
        return (chain, disk.Source) switch
        {
            ({ } found, _) =>
                (BlockNodes.NameOf(found.Layers[0].Id), BlockNodes.Chain(found, readOnly, DriveMode.Of(disk))),
            (null, { } path) =>
                ($"d-{disk.Target}",
                    BlockNodes.Single($"d-{disk.Target}", path, disk.Format, readOnly, DriveMode.Of(disk), disk.Type)),
            _ => (null, null),
        };
    }

    private static QemuOption Device(DiskDevice disk, string? node, Wiring wiring, int? turn)
    {
        var device = new QemuOption(Driver(disk, wiring)).With("id", Machine.DiskId(disk.Target));
        return wiring.Drive(device, disk)
            .With("drive", node)
            .With("serial", disk.Serial)
            .With("bootindex", turn)
            .With("write-cache", WriteCache(disk, node));
    }

    private static string? WriteCache(DiskDevice disk, string? node) => disk.Cache switch
    {
        DiskCache.WriteThrough or DiskCache.DirectSync => "off",
        _ => node is null ? null : "on",
    };

    private static string Driver(DiskDevice disk, Wiring wiring) => (disk.Bus, disk.Kind) switch
    {
        (DiskBus.Virtio, _) => wiring.Virtio("blk"),
        (DiskBus.Scsi, DiskKind.Cdrom) => "scsi-cd",
        (DiskBus.Scsi, _) => "scsi-hd",
        (_, DiskKind.Cdrom) => "ide-cd",
        _ => "ide-hd",
    };
}
