using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Coppice.Files;

/// <summary>A file as its file system knows it, whatever it is called.</summary>
/// <param name="Identity">The same for all its names: hard links, symbolic links, paths through other mounts.</param>
/// <param name="AllocatedBytes">What it takes on disk; holes take nothing.</param>
/// <param name="ChangedAt">When it was last written or replaced (ctime), which nobody can set back.</param>
public sealed record FileFacts(string Identity, long AllocatedBytes, DateTimeOffset ChangedAt);

/// <summary>What file systems know of paths.</summary>
public static partial class FileSystem
{
    private const int WorkingFolder = -100;
    private const uint BasicFields = 0x7ff;
    private const int BlockBytes = 512;

    // Of struct statx, see statx(2).
    private const int BufferSize = 256;
    private const int InodeOffset = 32;
    private const int BlocksOffset = 48;
    private const int ChangeSecondsOffset = 96;
    private const int ChangeNanosecondsOffset = 104;
    private const int DeviceOffset = 136;

    /// <summary>Whether two paths are on one file system; a path that does not exist yet counts as its nearest folder.</summary>
    public static bool AreSame(string first, string second) => Device(first) == Device(second);

    /// <summary>What a path leads to, through symbolic links; null if there is nothing, or it cannot be reached.</summary>
    public static FileFacts? Look(string path)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        if (!TryLook(path, buffer))
        {
            return null;
        }

        var (device, inode) = (Number(buffer, DeviceOffset), Number(buffer, InodeOffset));
        var identity = string.Create(CultureInfo.InvariantCulture, $"{device:x}:{inode}");
        var changed = DateTimeOffset.FromUnixTimeSeconds((long)Number(buffer, ChangeSecondsOffset))
            .AddTicks((uint)Number(buffer, ChangeNanosecondsOffset) / TimeSpan.NanosecondsPerTick);
        return new FileFacts(identity, (long)Number(buffer, BlocksOffset) * BlockBytes, changed);
    }

    /// <summary>The device number, or 0 if it cannot be told.</summary>
    private static ulong Device(string path)
    {
        while (!Path.Exists(path) && Path.GetDirectoryName(path) is { Length: > 0 } parent)
        {
            path = parent;
        }

        Span<byte> buffer = stackalloc byte[BufferSize];
        return TryLook(path, buffer) ? Number(buffer, DeviceOffset) : 0;
    }

    private static bool TryLook(string path, Span<byte> buffer) =>
        Statx(WorkingFolder, path, 0, BasicFields, ref MemoryMarshal.GetReference(buffer)) == 0;

    private static ulong Number(ReadOnlySpan<byte> buffer, int offset) =>
        BinaryPrimitives.ReadUInt64LittleEndian(buffer[offset..]);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte buffer);
}
