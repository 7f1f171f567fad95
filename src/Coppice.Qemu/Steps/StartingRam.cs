using Coppice.Core;
using Coppice.Files;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>
/// The file that a process has as its RAM: as large as that and empty, or with what a mapped image begins with. An image itself is a
/// process's RAM only where QEMU opens it for nothing but reading: a balloon in the guest would punch holes into it.
/// </summary>
internal static class StartingRam
{
    /// <summary>Makes the file, if the process is to have one.</summary>
    /// <param name="ram">The file, which does not exist or was made empty.</param>
    /// <param name="memory">What is going to be loaded.</param>
    /// <param name="cancellation">Ends a copy, where a file system cannot clone.</param>
    /// <exception cref="CoppiceException">
    /// The image is missing (<see cref="ErrorKind.NotFound"/>), not as long as it must be (<see cref="ErrorKind.Damaged"/>), or cannot be
    /// read (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    public static void Make(RamFileArguments? ram, MemoryImage memory, CancellationToken cancellation)
    {
        if (ram is null)
        {
            return;
        }

        if (memory.Format is not MemoryFormat.Mapped)
        {
            using var empty = New(ram);
            RandomAccess.SetLength(empty, ram.Bytes);
            return;
        }

        using var image = Open(memory, 0);
        if (FileCopy.LengthOf(image) <= ram.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.Damaged, $"memory image {memory.File}", $"is cut off: it is no longer than the RAM of {new ByteCount(ram.Bytes)} that it begins with",
                "restore the file, or revert to another snapshot");
        }

        if (!ram.IsImage)
        {
            using var file = New(ram);
            FileCopy.CopyBeginning(image, file, ram.Path, ram.Bytes, cancellation);
        }
    }

    private static SafeFileHandle New(RamFileArguments ram)
    {
        DurableFolder.Create(Path.GetDirectoryName(ram.Path)!);
        return DurableFile.OpenToFill(ram.Path);
    }

    /// <summary>Opens a memory image for reading, from some position on.</summary>
    /// <exception cref="CoppiceException">
    /// It is missing (<see cref="ErrorKind.NotFound"/>) or cannot be read (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    public static SafeFileHandle Open(MemoryImage memory, long position)
    {
        try
        {
            return DurableFile.OpenAt(memory.File!, position);
        }
        catch (FileException e)
        {
            throw new CoppiceException(
                e.IsMissing ? ErrorKind.NotFound : ErrorKind.Storage, $"memory image {memory.File}",
                e.IsMissing && memory.IsVolatile ? "is gone: it was on a volatile memory volume" : "cannot be read",
                "restore the file, or revert to another snapshot", e);
        }
    }
}
