using Coppice.Core;

namespace Coppice.Qemu.BlockGraph;

/// <summary>How the images of a drive are opened: the layers that are added later too.</summary>
/// <param name="Direct">Past the host's page cache.</param>
/// <param name="NoFlush">The guest's flushes are ignored.</param>
/// <param name="Aio">How the host reads and writes.</param>
/// <param name="Discard">What becomes of discards.</param>
internal sealed record DriveMode(bool Direct, bool NoFlush, string Aio, string Discard)
{
    /// <summary>How a drive is opened unless its definition says otherwise.</summary>
    public static DriveMode Default { get; } = new(false, false, "threads", "unmap");

    /// <summary>How a drive is opened.</summary>
    public static DriveMode Of(DiskDevice disk) => new(
        disk.Cache is DiskCache.None or DiskCache.DirectSync,
        disk.Cache is DiskCache.Unsafe,
        disk.Io switch { DiskIo.Native => "native", DiskIo.IoUring => "io_uring", _ => "threads" },
        disk.Discard is DiskDiscard.Ignore ? "ignore" : "unmap");
}
