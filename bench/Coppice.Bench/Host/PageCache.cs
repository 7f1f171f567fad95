using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Bench.Host;

/// <summary>The host's page cache.</summary>
internal static partial class PageCache
{
    private const int ProtectionRead = 1, MapShared = 1;

    /// <summary>How many bytes of a file are in it.</summary>
    public static long BytesOf(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var length = RandomAccess.GetLength(file);
        if (length == 0)
        {
            return 0;
        }

        var area = Map(0, (nuint)length, ProtectionRead, MapShared, file, 0);
        if (area == -1)
        {
            throw new IOException($"{path} cannot be mapped: errno {Marshal.GetLastPInvokeError()}");
        }

        try
        {
            var pages = new byte[(length + Environment.SystemPageSize - 1) / Environment.SystemPageSize];
            if (InCore(area, (nuint)length, ref pages[0]) != 0)
            {
                throw new IOException($"what is cached of {path} cannot be told: errno {Marshal.GetLastPInvokeError()}");
            }

            return pages.LongCount(p => (p & 1) != 0) * Environment.SystemPageSize;
        }
        finally
        {
            _ = Unmap(area, (nuint)length);
        }
    }

    /// <summary>Writes out and forgets all that can be forgotten.</summary>
    public static async Task DropAsync(CancellationToken cancellation)
    {
        await HostCommand.RunAsync("sync", [], cancellation);
        await File.WriteAllTextAsync("/proc/sys/vm/drop_caches", "3\n", cancellation);
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, SafeFileHandle file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "mincore", SetLastError = true)]
    private static partial int InCore(nint address, nuint length, ref byte pages);
}
