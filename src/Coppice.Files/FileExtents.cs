using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>Where a file lies on disk (FIEMAP). What was written and not yet put anywhere does not count.</summary>
/// <param name="Count">In how many pieces. A clone takes time for each.</param>
/// <param name="Bytes">What the pieces hold.</param>
/// <param name="OwnBytes">What of that no other file shares: writing there takes no more room.</param>
public sealed partial record FileExtents(int Count, long Bytes, long OwnBytes)
{
    private const ulong Request = 0xC020660B; // FS_IOC_FIEMAP: see Documentation/filesystems/fiemap.rst of Linux
    private const uint Last = 0x1, Shared = 0x2000;
    private const int AtOnce = 512;

    /// <summary>Looks at a file; null where the file system does not tell.</summary>
    /// <exception cref="FileException">It is missing, or cannot be looked at.</exception>
    public static FileExtents? Of(string path)
    {
        using var file = Native.Open(path, Native.ReadOnly);
        Span<byte> buffer = new byte[Marshal.SizeOf<Header>() + (AtOnce * Marshal.SizeOf<Extent>())];
        ref var header = ref MemoryMarshal.AsRef<Header>(buffer);
        var extents = MemoryMarshal.Cast<byte, Extent>(buffer[Marshal.SizeOf<Header>()..]);
        var found = new FileExtents(0, 0, 0);
        for (var at = 0UL; ;)
        {
            header = new Header { Start = at, Length = ulong.MaxValue - at, Room = AtOnce };
            if (Ask(file, Request, ref MemoryMarshal.GetReference(buffer)) != 0)
            {
                var errno = Marshal.GetLastPInvokeError();
                return errno is Errno.NotSupported or Errno.NoSuchRequest ? null : throw FileException.Of(path, errno);
            }

            foreach (var extent in extents[..(int)header.Found])
            {
                var length = (long)extent.Length;
                found = new FileExtents(
                    found.Count + 1, found.Bytes + length, found.OwnBytes + ((extent.Flags & Shared) == 0 ? length : 0));
            }

            if (header.Found == 0 || (extents[(int)header.Found - 1].Flags & Last) != 0)
            {
                return found;
            }

            at = extents[(int)header.Found - 1].Logical + extents[(int)header.Found - 1].Length;
        }
    }

    /// <summary>struct fiemap, without its extents.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public ulong Start;
        public ulong Length;
        public uint Flags;
        public uint Found;
        public uint Room;
        public uint Reserved;
    }

    /// <summary>struct fiemap_extent.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Extent
    {
        public ulong Logical;
        public ulong Physical;
        public ulong Length;
        public ulong Reserved1;
        public ulong Reserved2;
        public uint Flags;
        public uint Reserved3;
        public uint Reserved4;
        public uint Reserved5;
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ask(SafeFileHandle file, ulong request, ref byte map);
}
