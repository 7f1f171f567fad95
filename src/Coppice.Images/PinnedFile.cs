using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Images;

/// <summary>
/// A regular file held by an <c>O_PATH</c> descriptor: looked up, but not opened. A FIFO does not block, a device does
/// not act, and whatever a name is later swapped for, <see cref="OpenRead"/> opens the file that was checked.
/// </summary>
public sealed partial class PinnedFile : IDisposable
{
    private readonly SafeFileHandle _handle;

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

    /// <summary>The length when the file was pinned.</summary>
    public long LengthBytes { get; }

    /// <summary>Looks up a path, following symbolic links as the kernel does, and refuses all but a regular file.</summary>
    /// <exception cref="ImageException">Missing, not a regular file, or not accessible.</exception>
    public static PinnedFile Open(string path)
    {
        var (handle, status) = Lookup(path);
        try
        {
            if (status.Type != FileType.Regular)
            {
                throw new ImageException(ImageFault.Forbidden, path, $"it is {status.Describe()}, not a regular file",
                    "give a regular file");
            }

            return new PinnedFile(handle, path, RealPathOf(handle, path, status), status);
        }
        catch
        {
            handle.Dispose();
            throw;
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
        var handle = open(DescriptorPath(_handle), O_RDONLY | O_CLOEXEC);
        if (handle.IsInvalid)
        {
            var errno = Marshal.GetLastPInvokeError();
            handle.Dispose();
            throw Failure(NamedPath, errno);
        }

        return new FileStream(handle, FileAccess.Read, bufferSize: 0);
    }

    /// <summary>Lets the file go.</summary>
    public void Dispose() => _handle.Dispose();

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

    private static ImageException Failure(string path, int errno) => errno is ENOENT or ENOTDIR
        ? new ImageException(ImageFault.Missing, path, "it does not exist", "check the path, or restore the file")
        : new ImageException(ImageFault.Unreadable, path, $"it cannot be opened ({Marshal.GetPInvokeErrorMessage(errno)})",
            "check the permissions of the file and of its folders");

#pragma warning disable IDE1006, CA1707, SYSLIB1054 // The names are the system's.
    // Values that x86-64, arm64 and riscv64 share; O_NOFOLLOW and O_DIRECTORY, which differ, are not needed.
    private const int O_RDONLY = 0;
    private const int O_CLOEXEC = 0x80000;
    private const int O_PATH = 0x200000;
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint STATX_BASIC_STATS = 0x7ff;
    private const int ENOENT = 2;
    private const int ENOTDIR = 20;

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(SafeFileHandle folder, string path, int flags, uint mask, Span<byte> result);
#pragma warning restore IDE1006, CA1707, SYSLIB1054
}
