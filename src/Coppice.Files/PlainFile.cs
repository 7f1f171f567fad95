using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>
/// Files of a folder that somebody else filled. What is opened is a regular file at exactly that place: no symbolic link leads out
/// of the folder, a FIFO does not block and no device acts, whatever the names are swapped for meanwhile.
/// </summary>
public static class PlainFile
{
    /// <summary>Opens a file for reading, without any lock.</summary>
    /// <param name="folder">The folder. It may itself be reached through links.</param>
    /// <param name="name">The name in it, which may lead through folders: <c>images/vda.qcow2</c>.</param>
    /// <exception cref="FileException">It is missing, no regular file, or reached through a link.</exception>
    public static SafeFileHandle Open(string folder, string name)
    {
        using var place = Native.Open(folder, Native.PathOnly);
        var path = $"{folder}/{name}";
        using var found = Native.Open(path, Native.PathOnly);
        if (RealPath(found) != $"{RealPath(place).TrimEnd('/')}/{name}" || FileSystem.Look(Descriptor(found))?.Kind is not FileKind.Regular)
        {
            throw new FileException(path, 0, "is no plain file there, but a link, a device or a folder", "put the file itself into the folder");
        }

        return Native.Open(Descriptor(found), Native.ReadOnly);
    }

    /// <summary>Reads a file likewise, but not one of more than <paramref name="maximum"/> bytes.</summary>
    public static byte[] ReadBounded(string folder, string name, int maximum)
    {
        using var handle = Open(folder, name);
        return FileException.Guard($"{folder}/{name}", () => DurableFile.ReadBounded(handle, $"{folder}/{name}", maximum));
    }

    private static string RealPath(SafeFileHandle handle) =>
        File.ResolveLinkTarget(Descriptor(handle), returnFinalTarget: false)?.FullName ?? "";

    private static string Descriptor(SafeFileHandle handle) =>
        string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{handle.DangerousGetHandle()}");
}
