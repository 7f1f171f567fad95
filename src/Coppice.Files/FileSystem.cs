using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Coppice.Files;

/// <summary>A file as its file system knows it, whatever it is called.</summary>
/// <param name="Identity">
/// The same for all its names: hard links, symbolic links, paths through other mounts. That of a block device is its number,
/// which all nodes of the device have.
/// </param>
/// <param name="AllocatedBytes">What it takes on disk; holes take nothing.</param>
/// <param name="Length">How many bytes it has, holes included; 0 for a device.</param>
/// <param name="ChangedAt">
/// When it was last written or replaced (ctime), which nobody can set back. Of a device it says when its node was changed, not
/// its content.
/// </param>
/// <param name="ModifiedAt">When its content was last written (mtime); copies may keep it. Of a device it says as little.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Kind">What it is.</param>
public sealed record FileFacts(
    string Identity, long AllocatedBytes, long Length, DateTimeOffset ChangedAt, DateTimeOffset ModifiedAt, int Links, FileKind Kind);

/// <summary>
/// What changes whenever a file is written or another one takes its place, as long as some time has passed: the clock of file systems
/// moves on once in some milliseconds.
/// </summary>
/// <param name="Device">The file system.</param>
/// <param name="Inode">The file in it.</param>
/// <param name="ChangedAt">When it was last written or replaced (ctime).</param>
public readonly record struct FileStamp(ulong Device, ulong Inode, DateTimeOffset ChangedAt)
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether another writing would show in it: the last one is a while ago. The file system goes by the clock of the host.</summary>
    public bool IsTelling => TimeProvider.System.GetUtcNow() - ChangedAt > s_tick;
}

/// <summary>What a path can lead to, as far as it makes a difference; the values are those of S_IFMT, see inode(7).</summary>
public enum FileKind
{
    /// <summary>A folder or FIFO.</summary>
    Other,

    /// <summary>A character device.</summary>
    CharacterDevice = 0x2000,

    /// <summary>A block device.</summary>
    BlockDevice = 0x6000,

    /// <summary>A regular file.</summary>
    Regular = 0x8000,

    /// <summary>A socket.</summary>
    Socket = 0xC000,
}

/// <summary>What file systems know of paths.</summary>
public static partial class FileSystem
{
    private const int WorkingFolder = -100;
    private const uint BasicFields = 0x7ff;
    private const int BlockBytes = 512;

    // Of struct statx, see statx(2).
    private const int BufferSize = 256;
    private const int LinksOffset = 16;
    private const int OwnerOffset = 20;
    private const int ModeOffset = 28;
    private const int InodeOffset = 32;
    private const int SizeOffset = 40;
    private const int BlocksOffset = 48;
    private const int ChangeOffset = 96;
    private const int ModificationOffset = 112;
    private const int NumberOffset = 128;
    private const int NanosecondsOffset = 8;
    private const int DeviceOffset = 136;

    private const int KindMask = 0xF000, OthersMask = 0x3F;
    private const int NoFollow = 0x100;

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

        var kind = KindOf(buffer);
        var (device, inode) = (Number(buffer, DeviceOffset), Number(buffer, InodeOffset));
        var identity = kind is FileKind.BlockDevice
            ? string.Create(CultureInfo.InvariantCulture, $"block:{Number(buffer, NumberOffset):x}")
            : string.Create(CultureInfo.InvariantCulture, $"{device:x}:{inode}");
        return new FileFacts(
            identity,
            (long)Number(buffer, BlocksOffset) * BlockBytes,
            (long)Number(buffer, SizeOffset),
            Time(buffer, ChangeOffset),
            Time(buffer, ModificationOffset),
            (int)Math.Min((uint)Number(buffer, LinksOffset), int.MaxValue),
            kind);
    }

    /// <summary>What tells whether a file has been written or replaced since; null if there is none.</summary>
    public static FileStamp? StampOf(string path)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        return TryLook(path, buffer)
            ? new FileStamp(Number(buffer, DeviceOffset), Number(buffer, InodeOffset), Time(buffer, ChangeOffset))
            : null;
    }

    /// <summary>Whether a path is that of a socket, and of no link to one.</summary>
    public static bool IsSocket(string path)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        return TryLook(path, buffer, NoFollow) && KindOf(buffer) is FileKind.Socket;
    }

    /// <summary>Sets when the content of a file was last written (mtime), which only its owner may.</summary>
    /// <exception cref="FileException">It is somebody else's, or cannot be reached.</exception>
    public static void SetModified(string path, DateTimeOffset at)
    {
        FileActs.Before(FileAct.SetTime, path);
        FileException.Guard(path, () => File.SetLastWriteTimeUtc(path, at.UtcDateTime));
    }

    /// <summary>Whether there is a file, no link to one, that is this user's and nobody else's to read or write.</summary>
    public static bool IsPrivate(string path)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        return TryLook(path, buffer, NoFollow) && KindOf(buffer) is FileKind.Regular && (uint)Number(buffer, OwnerOffset) == EffectiveUser()
            && (BinaryPrimitives.ReadUInt16LittleEndian(buffer[ModeOffset..]) & OthersMask) == 0;
    }

    /// <summary>The user that this process is, as far as files are concerned.</summary>
    public static int User => (int)EffectiveUser();

    /// <summary>Whether a path leads to a device, through symbolic links.</summary>
    internal static bool IsDevice(string path)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        return TryLook(path, buffer) && KindOf(buffer) is FileKind.BlockDevice or FileKind.CharacterDevice;
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

    private static bool TryLook(string path, Span<byte> buffer, int flags = 0) =>
        Statx(WorkingFolder, path, flags, BasicFields, ref MemoryMarshal.GetReference(buffer)) == 0;

    private static FileKind KindOf(ReadOnlySpan<byte> buffer)
    {
        var kind = (FileKind)(BinaryPrimitives.ReadUInt16LittleEndian(buffer[ModeOffset..]) & KindMask);
        return Enum.IsDefined(kind) ? kind : FileKind.Other;
    }

    private static DateTimeOffset Time(ReadOnlySpan<byte> buffer, int offset) =>
        DateTimeOffset.FromUnixTimeSeconds((long)Number(buffer, offset))
            .AddTicks((uint)Number(buffer, offset + NanosecondsOffset) / TimeSpan.NanosecondsPerTick);

    private static ulong Number(ReadOnlySpan<byte> buffer, int offset) =>
        BinaryPrimitives.ReadUInt64LittleEndian(buffer[offset..]);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte buffer);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();
}
