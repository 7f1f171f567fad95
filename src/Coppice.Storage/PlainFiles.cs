using Coppice.Core;
using Coppice.Files;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Storage;

/// <summary>Files of a folder that somebody else filled, in the words and kinds of Coppice.</summary>
internal static class PlainFiles
{
    /// <summary>See <see cref="IStorage.ReadPlainAsync"/>.</summary>
    public static byte[] Read(string folder, string name, int maximum) =>
        Guard(folder, name, () => PlainFile.ReadBounded(folder, name, maximum));

    /// <summary>Opens one for reading.</summary>
    public static SafeFileHandle Open(string folder, string name) => Guard(folder, name, () => PlainFile.Open(folder, name));

    private static T Guard<T>(string folder, string name, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (FileException e)
        {
            throw new CoppiceException(
                e.IsMissing ? ErrorKind.NotFound : e.ErrorNumber == 0 ? ErrorKind.Forbidden : ErrorKind.Storage, $"{folder}/{name}", e.Problem,
                e.IsMissing ? "name a folder that was exported, whole" : e.NextStep, e);
        }
    }
}
