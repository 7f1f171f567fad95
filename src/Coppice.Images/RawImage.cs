namespace Coppice.Images;

/// <summary>Raw images as files.</summary>
public static class RawImage
{
    /// <summary>Whether a file has a length and no data: nothing was written to it since it was made so long.</summary>
    /// <param name="path">The file.</param>
    /// <param name="lengthBytes">How long it has to be.</param>
    public static bool IsHole(string path, long lengthBytes)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        return RandomAccess.GetLength(file) == lengthBytes && (lengthBytes == 0 || SparseFile.RunAt(file, 0, lengthBytes) == (false, lengthBytes));
    }
}
