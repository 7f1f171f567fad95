using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Images;

/// <summary>The ranges of a raw image for which its file system keeps data (lseek(2), SEEK_DATA); holes read as zeros.</summary>
internal static partial class RawExtents
{
    public static IEnumerable<GuestExtent> Of(PinnedFile file, CancellationToken cancel)
    {
        using var stream = (FileStream)file.OpenRead();
        for (var at = 0L; at < file.LengthBytes;)
        {
            cancel.ThrowIfCancellationRequested();
            var start = Seek(stream.SafeFileHandle, at, SEEK_DATA, file);
            if (start < 0)
            {
                yield break;
            }

            at = Seek(stream.SafeFileHandle, start, SEEK_HOLE, file) is >= 0 and var hole && hole > start ? hole : file.LengthBytes;
            yield return new GuestExtent(start, at - start, ExtentKind.Data);
        }
    }

    /// <summary>Where the next data or hole begins; -1 if there is none before the end.</summary>
    private static long Seek(SafeFileHandle handle, long from, int what, PinnedFile file)
    {
        var found = lseek(handle, from, what);
        if (found >= 0)
        {
            return found;
        }

        var errno = Marshal.GetLastPInvokeError();
        return errno switch
        {
            ENXIO => -1,

            // A device knows no holes, nor does every file system.
            EINVAL => what == SEEK_DATA ? from : file.LengthBytes,
            _ => throw new ImageException(
                ImageFault.Unreadable, file.NamedPath, $"it cannot be searched for holes ({Marshal.GetPInvokeErrorMessage(errno)})",
                "check the storage it lies on"),
        };
    }

#pragma warning disable IDE1006, CA1707, SYSLIB1054 // The names are the system's.
    private const int SEEK_DATA = 3;
    private const int SEEK_HOLE = 4;
    private const int ENXIO = 6;
    private const int EINVAL = 22;

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);
#pragma warning restore IDE1006, CA1707, SYSLIB1054
}
