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

    /// <summary>Makes a folder in one that exists, open to its owner only; nothing happens if it exists.</summary>
    /// <exception cref="FileException">The folder above is not there, or it cannot be made.</exception>
    public static void CreateInside(string path)
    {
        if (!Directory.Exists(path))
        {
            FileActs.Before(FileAct.CreateFolder, path);
            Native.MakeFolder(path, (int)OwnerOnly);
            Flush(Path.GetDirectoryName(path)!);
        }
    }

    /// <summary>Makes durable what was made, renamed and removed in a folder.</summary>
    public static void Flush(string path)
    {
        FileActs.Before(FileAct.FlushFolder, path);
        using var handle = Native.Open(path, Native.ReadOnly);
        Native.Flush(handle, path);
    }

    /// <summary>Flushes the whole file system that a folder is on (syncfs(2)), with what it had put off.</summary>
    public static void FlushFileSystem(string path)
    {
        using var handle = Native.Open(path, Native.ReadOnly);
        Native.FlushFileSystem(handle, path);
    }

    /// <summary>Gives a folder another name on the same file system, which nothing may have yet: durable on return.</summary>
    public static void Rename(string from, string to)
    {
        FileActs.Before(FileAct.Rename, to);
        FileException.Guard(to, () => Directory.Move(from, to));
        Flush(Path.GetDirectoryName(to)!);
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

    /// <summary>
    /// The same, and a file of it goes last, once the folders that lead to it are empty but for it. Those are emptied after all others.
    /// </summary>
    public static void Remove(string path, string last)
    {
        RemoveOthers(path, last);
        Remove(path);
    }

    private static void RemoveOthers(string folder, string last)
    {
        if (!Directory.Exists(folder))
        {
            return;
        }

        var inner = Path.GetRelativePath(folder, last).Split('/') is [var next, _, ..] ? $"{folder}/{next}" : null;
        foreach (var path in FileException.Guard(folder, () => Directory.GetFileSystemEntries(folder)).Where(p => p != inner && p != last))
        {
            if (Directory.Exists(path))
            {
                Remove(path);
            }
            else
            {
                DurableFile.Remove(path);
            }
        }

        Flush(folder);
        if (inner is not null)
        {
            RemoveOthers(inner, last);
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

    /// <summary>
    /// The free bytes, for this user, of the file system that holds a folder, or its nearest parent that exists.
    /// </summary>
    public static long FreeBytes(string path) => FileException.Guard(path, () => FileSystemOf(path).AvailableFreeSpace);

    /// <summary>The size of the file system that holds a folder, or its nearest parent that exists.</summary>
    public static long CapacityBytes(string path) => FileException.Guard(path, () => FileSystemOf(path).TotalSize);

    private static DriveInfo FileSystemOf(string path)
    {
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { Length: > 0 } parent)
        {
            path = parent;
        }

        return new DriveInfo(path);
    }
}
