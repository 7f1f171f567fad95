using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Coppice.Files;

/// <summary>Which file system a path is on.</summary>
public static partial class FileSystem
{
    private const int WorkingFolder = -100;
    private const int BufferSize = 256;
    private const int DeviceOffset = 136;

    /// <summary>Whether two paths are on one file system; a path that does not exist yet counts as its nearest folder.</summary>
    public static bool AreSame(string first, string second) => Device(first) == Device(second);

    /// <summary>The device number, or 0 if it cannot be told (statx(2), stx_dev_major and stx_dev_minor).</summary>
    private static ulong Device(string path)
    {
        while (!Path.Exists(path) && Path.GetDirectoryName(path) is { Length: > 0 } parent)
        {
            path = parent;
        }

        Span<byte> buffer = stackalloc byte[BufferSize];
        return Statx(WorkingFolder, path, 0, 0, ref MemoryMarshal.GetReference(buffer)) == 0
            ? BinaryPrimitives.ReadUInt64LittleEndian(buffer[DeviceOffset..])
            : 0;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte buffer);
}
