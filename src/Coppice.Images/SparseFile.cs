using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Images;

/// <summary>Holes in files, as the file system tells them (lseek(2)). One that knows none calls all of a file data.</summary>
internal static partial class SparseFile
{
    private const int SeekData = 3, SeekHole = 4;
    private const int NoMoreData = 6; // ENXIO

    /// <summary>Whether there is data or a hole at an offset before the end, and where that ends.</summary>
    public static (bool IsData, long End) RunAt(SafeFileHandle file, long at, long length)
    {
        var data = lseek(file, at, SeekData);
        if (data < 0)
        {
            return (Marshal.GetLastPInvokeError() != NoMoreData, length);
        }

        if (data > at)
        {
            return (false, Math.Min(data, length));
        }

        var hole = lseek(file, at, SeekHole);
        return (true, hole <= at ? length : Math.Min(hole, length));
    }

#pragma warning disable IDE1006, CA1707, SYSLIB1054 // The name is the system's.
    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);
#pragma warning restore IDE1006, CA1707, SYSLIB1054
}
