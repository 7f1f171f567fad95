using System.Collections.Immutable;
using System.Globalization;
using Coppice.Core;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.CommandLine;

/// <summary>The whole command line of a domain. Paths of sockets are relative to the run folder.</summary>
internal static class QemuCommandLine
{
    public static ImmutableArray<string> Of(LaunchRequest request)
    {
        var definition = request.Definition;
        return
        [
            "-name", $"guest={Escape(definition.Name)},debug-threads=on",
            "-uuid", definition.Id.ToString(),
            .. s_closedDoors,
            .. s_monitors,
            "-S",
            "-machine", "pc,accel=tcg,memory-backend=ram0",
            "-object", $"memory-backend-ram,id=ram0,size={definition.Memory.Bytes.ToString(CultureInfo.InvariantCulture)}",
            .. request.Disks.SelectMany(Disk),
            .. request.Memory.Mode is MemoryMode.None ? Array.Empty<string>() : ["-incoming", "defer"],
        ];
    }

    private static readonly string[] s_closedDoors =
    [
        "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "-nodefaults", "-no-user-config", "-display", "none",
    ];

    private static readonly string[] s_monitors =
    [
        "-chardev", $"socket,id=commands,path={RunFolder.CommandsName},server=on,wait=off", "-mon", "chardev=commands,mode=control",
        "-chardev", $"socket,id=readers,path={RunFolder.ReadersName},server=on,wait=off", "-mon", "chardev=readers,mode=control",
        "-chardev", $"pipe,id=guard,path={RunFolder.GuardName}", "-mon", "chardev=guard,mode=readline",
    ];

    private static string[] Disk(DiskChain disk) =>
    [
        "-blockdev", BlockNodes.Chain(disk.Layers, readOnly: false, default).ToJsonString(),
        "-device", $"virtio-blk-pci,id={Machine.DiskId(disk.Target)},drive={BlockNodes.NameOf(disk.Layers[0].Id)}",
    ];

    private static string Escape(string value) => value.Replace(",", ",,", StringComparison.Ordinal);
}
