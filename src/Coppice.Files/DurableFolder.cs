namespace Coppice.Files;

/// <summary>Folders that survive a loss of power. Every failure is a <see cref="FileException"/>.</summary>
public static class DurableFolder
{
    private const int MaximumAttempts = 5;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes a folder, open to its owner only, and those above it; nothing happens if it exists.</summary>
    public static void Create(string path)
    {
        if (Directory.Exists(path))
        {
            return;
        }

        var parent = Path.GetDirectoryName(path);
        if (parent is { Length: > 0 })
        {
            Create(parent);
        }

        FileActs.Before(FileAct.CreateFolder, path);
        FileException.Guard(path, () => Directory.CreateDirectory(path, OwnerOnly));
        if (parent is { Length: > 0 })
        {
            Flush(parent);
        }
    }

    /// <summary>Makes durable what was made, renamed and removed in a folder.</summary>
    public static void Flush(string path)
    {
        FileActs.Before(FileAct.FlushFolder, path);
        using var handle = Native.Open(path, Native.ReadOnly);
        Native.Flush(handle, path);
    }

    /// <summary>
    /// Removes a folder with all it holds; nothing happens if it is gone. Somebody may still be writing in it, such as a program
    /// that a killed command had started. The folder above is not flushed.
    /// </summary>
    public static void Remove(string path)
    {
        FileActs.Before(FileAct.Remove, path);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                FileException.Guard(path, () => Directory.Delete(path, recursive: true));
                return;
            }
            catch (FileException e) when (e.IsMissing)
            {
                return;
            }
            catch (FileException e) when (e.ErrorNumber is Errno.NotEmpty && attempt < MaximumAttempts)
            {
            }
        }
    }

    /// <summary>Removes a folder that holds nothing, and flushes the one above. One that does, or may not go, is left.</summary>
    /// <returns>Whether it is gone.</returns>
    public static bool RemoveIfEmpty(string path)
    {
        if (!Directory.Exists(path))
        {
            return true;
        }

        try
        {
            FileActs.Before(FileAct.Remove, path);
            FileException.Guard(path, () => Directory.Delete(path));
        }
        catch (FileException e) when (e.ErrorNumber is Errno.NotEmpty or Errno.Access or Errno.NotPermitted or Errno.ReadOnly)
        {
            return false;
        }

        Flush(Path.GetDirectoryName(path)!);
        return true;
    }

    /// <summary>The free bytes, for this user, of the file system that holds a folder, or its nearest parent that exists.</summary>
    public static long FreeBytes(string path)
    {
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { Length: > 0 } parent)
        {
            path = parent;
        }

        return FileException.Guard(path, () => new DriveInfo(path).AvailableFreeSpace);
    }
}
