using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Images;

/// <summary>
/// A regular file, or a block device that the records call one, held by an <c>O_PATH</c> descriptor: looked up, but not opened.
/// A FIFO does not block, any other device does not act, and whatever a name is later swapped for, <see cref="OpenRead"/> opens
/// the file that was checked.
/// </summary>
public sealed partial class PinnedFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    // Whoever claims a device holds it for an instant or for long; another check like this one does so for an instant.
    private static readonly TimeSpan s_instant = TimeSpan.FromMilliseconds(100);

    private PinnedFile(SafeFileHandle handle, string namedPath, string realPath, FileStatus status)
    {
        _handle = handle;
        NamedPath = namedPath;
        RealPath = realPath;
        Identity = status.Identity;
        HardLinks = status.HardLinks;
        LengthBytes = status.LengthBytes;
    }

    /// <summary>The path as given.</summary>
    public string NamedPath { get; }

    /// <summary>The path after all symbolic links, from <c>/proc/self/fd</c>. Give this one to QEMU.</summary>
    public string RealPath { get; }

    /// <summary>Device and inode.</summary>
    public FileIdentity Identity { get; }

    /// <summary>The number of names the file has. A file with more than one is shared and must not be written.</summary>
    public int HardLinks { get; }

    /// <summary>The length when it was pinned.</summary>
    public long LengthBytes { get; private init; }

    /// <summary>Looks up a path, following symbolic links as the kernel does, and refuses all but a regular file.</summary>
    /// <exception cref="ImageException">Missing, not a regular file, or not accessible.</exception>
    public static PinnedFile Open(string path)
    {
        var (handle, status) = Lookup(path);
        try
        {
            RequireType(FileType.Regular, path, status);
            return new PinnedFile(handle, path, RealPathOf(handle, path, status), status);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Looks up a path likewise, refuses all but a block device, and measures it.</summary>
    /// <exception cref="ImageException">Missing, not a block device, or not accessible.</exception>
    public static PinnedFile OpenDevice(string path)
    {
        var (handle, status) = Lookup(path);
        try
        {
            RequireType(FileType.BlockDevice, path, status);
            using var opened = OpenAgain(handle, path, O_RDONLY);
            var length = lseek(opened, 0, SEEK_END);
            return length <= 0
                ? throw Failure(path, length < 0 ? Marshal.GetLastPInvokeError() : ENXIO)
                : new PinnedFile(handle, path, RealPathOf(handle, path, status), status) { LengthBytes = length };
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Refuses a block device that the host itself uses, so that a guest must not: the kernel lets nobody claim what is mounted,
    /// or is a part of LVM, RAID or swap (open(2), O_EXCL). What a hypervisor has open it does not call claimed.
    /// </summary>
    /// <exception cref="ImageException">It is in use, or not accessible.</exception>
    public void RequireUnclaimed()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        if (!SpinWait.SpinUntil(TryClaim, s_instant))
        {
            throw new ImageException(ImageFault.InUse, NamedPath,
                "this host uses it: it is mounted, or a part of LVM, RAID or swap",
                "unmount it or take it out of use (lsblk shows by what), or give another device");
        }
    }

    /// <summary>The real path of a folder.</summary>
    /// <exception cref="ImageException">Missing, not a folder, or not accessible.</exception>
    internal static string RealFolder(string path)
    {
        var (handle, status) = Lookup(path);
        using (handle)
        {
            return status.Type == FileType.Folder
                ? RealPathOf(handle, path, status)
                : throw new ImageException(ImageFault.Forbidden, path, $"it is {status.Describe()}, not a folder",
                    "give a folder");
        }
    }

    /// <summary>Opens the pinned file for reading, without any lock: QEMU may have it open.</summary>
    public Stream OpenRead()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);

        // By hand, since FileStream takes a flock, which NFS turns into the kind of lock that QEMU itself takes.
        return new FileStream(OpenAgain(_handle, NamedPath, O_RDONLY), FileAccess.Read, bufferSize: 0);
    }

    /// <summary>The same as a handle.</summary>
    public SafeFileHandle OpenHandle()
    {
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        return OpenAgain(_handle, NamedPath, O_RDONLY);
    }

    /// <summary>Lets the file go.</summary>
    public void Dispose() => _handle.Dispose();

    private static void RequireType(FileType wanted, string path, FileStatus status)
    {
        if (status.Type != wanted)
        {
            var thing = (status with { Type = wanted }).Describe();
            throw new ImageException(ImageFault.Forbidden, path, $"it is {status.Describe()}, not {thing}", $"give {thing}");
        }
    }

    private bool TryClaim()
    {
        try
        {
            OpenAgain(_handle, NamedPath, O_RDONLY | O_EXCL).Dispose();
            return true;
        }
        catch (ImageException e) when (e.Fault is ImageFault.InUse)
        {
            return false;
        }
    }

    private static SafeFileHandle OpenAgain(SafeFileHandle pinned, string path, int flags)
    {
        var handle = open(DescriptorPath(pinned), flags | O_CLOEXEC);
        if (!handle.IsInvalid)
        {
            return handle;
        }

        var errno = Marshal.GetLastPInvokeError();
        handle.Dispose();
        throw Failure(path, errno);
    }

    private static (SafeFileHandle Handle, FileStatus Status) Lookup(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ImageException(ImageFault.Forbidden, path, "the path contains a NUL", "give a plain path");
        }

        var handle = open(path, O_PATH | O_CLOEXEC);
        try
        {
            Span<byte> raw = stackalloc byte[FileStatus.SizeBytes];
            if (handle.IsInvalid || statx(handle, "", AT_EMPTY_PATH, STATX_BASIC_STATS, raw) != 0)
            {
                throw Failure(path, Marshal.GetLastPInvokeError());
            }

            return (handle, FileStatus.Parse(raw));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static string RealPathOf(SafeFileHandle handle, string path, FileStatus status)
    {
        var real = new FileInfo(DescriptorPath(handle)).LinkTarget;
        if (real is null)
        {
            throw new ImageException(ImageFault.Unreadable, path, "its real path cannot be read from /proc/self/fd",
                "mount /proc");
        }

        if (status.HardLinks == 0)
        {
            throw new ImageException(ImageFault.Missing, path, "it is being removed", "give a file that stays");
        }

        return real.Contains('\uFFFD', StringComparison.Ordinal)
            ? throw new ImageException(ImageFault.Unsupported, path, "its real path is not UTF-8", "rename it")
            : real;
    }

    private static string DescriptorPath(SafeFileHandle handle) => $"/proc/self/fd/{handle.DangerousGetHandle()}";

    private static ImageException Failure(string path, int errno) => errno switch
    {
        ENOENT or ENOTDIR => new(ImageFault.Missing, path, "it does not exist", "check the path, or restore the file"),
        EBUSY => new(ImageFault.InUse, path, "something else uses it alone", "end the program that has it open"),
        ENXIO or ENOMEDIUM => new(ImageFault.Missing, path, "there is no device behind it", "attach or activate it"),
        _ => new(ImageFault.Unreadable, path, $"it cannot be opened ({Marshal.GetPInvokeErrorMessage(errno)})",
            "check the permissions of the file and of its folders"),
    };

#pragma warning disable IDE1006, CA1707, SYSLIB1054 // The names are the system's.
    // Values that x86-64, arm64 and riscv64 share; O_NOFOLLOW and O_DIRECTORY, which differ, are not needed.
    private const int O_RDONLY = 0;
    private const int O_EXCL = 0x80;
    private const int O_CLOEXEC = 0x80000;
    private const int O_PATH = 0x200000;
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint STATX_BASIC_STATS = 0x7ff;
    private const int ENOENT = 2;
    private const int ENXIO = 6;
    private const int EBUSY = 16;
    private const int ENOTDIR = 20;
    private const int ENOMEDIUM = 123;
    private const int SEEK_END = 2;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(SafeFileHandle folder, string path, int flags, uint mask, Span<byte> result);
#pragma warning restore IDE1006, CA1707, SYSLIB1054
}
