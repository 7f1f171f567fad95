using System.Runtime.InteropServices;

namespace Coppice.Files;

/// <summary>What is open already when this process begins, by its number.</summary>
public static partial class InheritedFile
{
    private const int SetFlags = 2, CloseOnExec = 1;

    /// <summary>Keeps it from the programs that this process starts: they would hold it open for as long as they run.</summary>
    /// <exception cref="FileException">There is nothing open of that number.</exception>
    public static void KeepFromChildren(int descriptor)
    {
        if (Fcntl(descriptor, SetFlags, CloseOnExec) != 0)
        {
            throw FileException.Of($"file descriptor {descriptor}", Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(int descriptor, int command, int argument);
}
