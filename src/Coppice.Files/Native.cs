using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>The system calls that the framework has not. Flags are those that all Linux ports share.</summary>
internal static partial class Native
{
    public const int ReadOnly = 0;
    public const int ReadWrite = 2;
    public const int WriteOnly = 1;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int Truncate = 0x200;
    public const int Append = 0x400;
    public const int CloseOnExec = 0x80000;
    public const int PathOnly = 0x200000;

    public const int LockExclusive = 2;
    public const int LockNonBlocking = 4;
    public const int LockRelease = 8;

    private const int OwnerOnly = 0b110_000_000;

    /// <summary>Opens a file, closed when another program is executed and readable by its owner only.</summary>
    public static SafeFileHandle Open(string path, int flags)
    {
        while (true)
        {
            var handle = OpenCore(path, flags | CloseOnExec, OwnerOnly);
            if (handle >= 0)
            {
                return new SafeFileHandle(handle, ownsHandle: true);
            }

            Retry(path);
        }
    }

    public static void Flush(SafeFileHandle handle, string path)
    {
        while (FsyncCore(handle) != 0)
        {
            Retry(path);
        }
    }

    public static void FlushFileSystem(SafeFileHandle handle, string path)
    {
        while (SyncfsCore(handle) != 0)
        {
            Retry(path);
        }
    }

    /// <summary>Takes the lock of an open file; false if somebody else has it.</summary>
    public static bool TryLock(SafeFileHandle handle, string path)
    {
        while (FlockCore(handle, LockExclusive | LockNonBlocking) != 0)
        {
            if (Marshal.GetLastPInvokeError() == Errno.WouldBlock)
            {
                return false;
            }

            Retry(path);
        }

        return true;
    }

    /// <summary>Makes a folder, and none above it. One that is there is left as it is.</summary>
    public static void MakeFolder(string path, int mode)
    {
        while (MakeFolderCore(path, mode) != 0 && Marshal.GetLastPInvokeError() != Errno.Exists)
        {
            Retry(path);
        }
    }

    /// <summary>Where the next read or write begins of whoever has the open file, other processes too.</summary>
    public static void Seek(SafeFileHandle handle, string path, long position)
    {
        while (SeekCore(handle, position, 0) < 0)
        {
            Retry(path);
        }
    }

    /// <summary>Gives a file a second name. Symbolic links are not followed.</summary>
    public static void Link(string path, string name)
    {
        while (LinkCore(path, name) != 0)
        {
            Retry(name);
        }
    }

    /// <summary>Lets go of the lock of an open file, for every process that has inherited it too.</summary>
    public static void Unlock(SafeFileHandle handle) => _ = FlockCore(handle, LockRelease);

    private static void Retry(string path)
    {
        var errno = Marshal.GetLastPInvokeError();
        if (errno != Errno.Interrupted)
        {
            throw FileException.Of(path, errno);
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenCore(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeFolderCore(string path, int mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FsyncCore(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncfsCore(SafeFileHandle handle);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    private static partial long SeekCore(SafeFileHandle handle, long position, int whence);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkCore(string path, string name);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FlockCore(SafeFileHandle handle, int operation);
}
