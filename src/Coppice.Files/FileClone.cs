using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>Lets files share bytes until one of them is written (reflink), where the file system can.</summary>
public static partial class FileClone
{
    private const ulong WholeRequest = 0x40049409, RangeRequest = 0x4020940D; // FICLONE, FICLONERANGE: see ioctl_ficlone(2)

    /// <summary>
    /// Makes the beginning of a file share the bytes of another one. What the target holds behind them stays. Takes as long as the
    /// source has extents, not bytes; of a file that is mapped and written meanwhile it takes what is there at one instant or another.
    /// </summary>
    /// <param name="source">Open for reading.</param>
    /// <param name="target">Open for writing, on the same file system.</param>
    /// <param name="path">The path of the target, for errors.</param>
    /// <param name="bytes">How many; a multiple of the file system's blocks.</param>
    /// <returns>False if the file system cannot, or they are not on one; nothing is written then.</returns>
    /// <exception cref="FileException">It failed for another reason; a part may be cloned.</exception>
    public static bool TryRange(SafeFileHandle source, SafeFileHandle target, string path, long bytes)
    {
        ArgumentNullException.ThrowIfNull(source);
        FileActs.Before(FileAct.Clone, path);
        var held = false;
        try
        {
            source.DangerousAddRef(ref held);
            var range = new Range { Source = source.DangerousGetHandle(), Length = (ulong)bytes };
            if (Clone(target, RangeRequest, ref range) == 0)
            {
                return true;
            }

            var errno = Marshal.GetLastPInvokeError();
            return IsRefusal(errno) ? false : throw FileException.Of(path, errno);
        }
        finally
        {
            if (held)
            {
                source.DangerousRelease();
            }
        }
    }

    /// <summary>Makes a new file share all bytes of another one; false if it cannot.</summary>
    internal static bool TryWhole(SafeFileHandle source, SafeFileHandle target) => Clone(target, WholeRequest, source) == 0;

    private static bool IsRefusal(int errno) =>
        errno is Errno.OtherFileSystem or Errno.NotSupported or Errno.Invalid or Errno.NoSuchRequest;

    [StructLayout(LayoutKind.Sequential)]
    private struct Range
    {
        public long Source;
        public ulong Offset;
        public ulong Length;
        public ulong TargetOffset;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Clone(SafeFileHandle target, ulong request, SafeFileHandle source);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Clone(SafeFileHandle target, ulong request, ref Range range);
}
