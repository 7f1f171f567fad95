using Coppice.Core;
using Coppice.Qemu.BlockGraph;

namespace Coppice.Qemu.CommandLine;

/// <summary>UEFI firmware: two flash chips on the board, the first with its code, the second with its variables.</summary>
internal static class FirmwareArguments
{
    private const string CodeNode = "firmware";

    /// <summary>The images of the chips, and who may write to the second.</summary>
    public static IEnumerable<string> Of(LaunchRequest request)
    {
        if (request.Definition.Os.Firmware is not { Code: { } code } firmware)
        {
            return [];
        }

        var node = BlockNodes.Single(CodeNode, code, ImageFormat.Raw, readOnly: true, DriveMode.Default);
        return
        [
            "-blockdev", node.ToJsonString(),
            .. Variables(request) is { } chain
                ? ["-blockdev", BlockNodes.Chain(chain, readOnly: false, DriveMode.Default).ToJsonString()]
                : Array.Empty<string>(),
            .. firmware.Secure is true ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : Array.Empty<string>(),
        ];
    }

    /// <summary>Plugs the chips into the board.</summary>
    public static QemuOption Plugged(QemuOption machine, LaunchRequest request) => machine
        .With("pflash0", request.Definition.Os.Firmware?.Code is null ? null : CodeNode)
        .With("pflash1", Variables(request) is { } chain ? BlockNodes.NameOf(chain.Layers[0].Id) : null);

    private static DiskChain? Variables(LaunchRequest request) =>
        request.Disks.FirstOrDefault(d => d.Target == DiskDevice.FlashTarget);
}
