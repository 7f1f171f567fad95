namespace Coppice.Torture;

/// <summary>A file that takes the room of a file system.</summary>
internal static class Filler
{
    private const int Less = 64 << 10;

    /// <summary>Makes one that leaves so many bytes free, or a little more: to take room, a file system may need some for itself.</summary>
    public static void Make(string path, long left)
    {
        var folder = Path.GetDirectoryName(path)!;
        for (var bytes = new DriveInfo(folder).AvailableFreeSpace - left; ; bytes -= Less)
        {
            try
            {
                new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.Create, Access = FileAccess.Write, PreallocationSize = Math.Max(1, bytes),
                }).Dispose();
                return;
            }
            catch (IOException) when (bytes > Less)
            {
            }
        }
    }
}
