using System.Buffers;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>
/// Files that survive a loss of power: when a method returns, what it did is on disk. All files are readable by their owner
/// only. Every failure is a <see cref="FileException"/>.
/// </summary>
public static class DurableFile
{
    private const int ComparedAtOnce = 1 << 16;

    /// <summary>
    /// Replaces a file, or makes it: readers see the old or the new content, never a part. The new content is written
    /// beside it first, as <c>name.new</c>; callers see to it that only one of them replaces a file at a time.
    /// </summary>
    public static Task ReplaceAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellation = default) =>
        Task.Run(() => Replace(path, content.Span), cancellation);

    /// <summary>Makes a file that must not exist yet. A crash may leave a part of it.</summary>
    public static Task CreateAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellation = default) =>
        Task.Run(() => Create(path, content.Span), cancellation);

    /// <summary>Makes a text file that must not exist yet. A crash may leave a part of it.</summary>
    public static Task CreateAsync(string path, string content, CancellationToken cancellation = default) =>
        CreateAsync(path, Encoding.UTF8.GetBytes(content), cancellation);

    /// <summary>Makes a file that must not exist yet, for another program to fill. Nothing is flushed.</summary>
    public static SafeFileHandle OpenNew(string path)
    {
        FileActs.Before(FileAct.Write, path);
        return Native.Open(path, Native.WriteOnly | Native.Create | Native.Exclusive);
    }

    /// <summary>Opens a file to be filled, one that is there or a new one. Nothing is flushed.</summary>
    public static SafeFileHandle OpenToFill(string path)
    {
        FileActs.Before(FileAct.Write, path);
        return Native.Open(path, Native.WriteOnly | Native.Create);
    }

    /// <summary>Makes a file of zeros that must not exist yet, with all of its room taken. Nothing is flushed.</summary>
    /// <exception cref="FileException">There is no room, or the file system takes none before something is written.</exception>
    public static void Allocate(string path, long bytes)
    {
        FileActs.Before(FileAct.Write, path);
        if (DurableFolder.FreeBytes(FolderOf(path)) < bytes)
        {
            throw FileException.Of(path, Errno.NoSpace);
        }

        FileException.Guard(path, () =>
        {
            using var file = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, PreallocationSize = bytes,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
            file.SetLength(bytes);
        });
        if (FileSystem.Look(path) is not { } made || made.AllocatedBytes < bytes)
        {
            throw new FileException(path, 0, "is on a file system that takes no room before something is written", "use another one");
        }
    }

    /// <summary>Opens a file for another program to read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="position">Where the other program begins to read.</param>
    public static SafeFileHandle OpenAt(string path, long position)
    {
        var file = Native.Open(path, Native.ReadOnly);
        try
        {
            Native.Seek(file, path, position);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Writes into an open file. Nothing is flushed.</summary>
    /// <param name="file">Open for writing.</param>
    /// <param name="path">Its path, for errors.</param>
    /// <param name="content">What is written.</param>
    /// <param name="position">Where.</param>
    public static void WriteAt(SafeFileHandle file, string path, ReadOnlySpan<byte> content, long position)
    {
        FileActs.Before(FileAct.Write, path);
        try
        {
            RandomAccess.Write(file, content, position);
        }
        catch (IOException e)
        {
            throw FileException.Of(path, Errno.From(e), e);
        }
    }

    /// <summary>Gives a file another name in the same folder.</summary>
    public static void Rename(string from, string to)
    {
        FileActs.Before(FileAct.Rename, to);
        FileException.Guard(to, () => File.Move(from, to, overwrite: true));
        DurableFolder.Flush(FolderOf(to));
    }

    /// <summary>Gives a file a second name (link(2)), which must not exist yet: durable on return.</summary>
    public static void Link(string path, string name)
    {
        FileActs.Before(FileAct.Link, name);
        Native.Link(path, name);
        DurableFolder.Flush(FolderOf(name));
    }

    /// <summary>
    /// Removes a file; nothing happens if it is gone. The folder is not flushed. The node of a device is never removed, nor a
    /// link to one: it is the host's, whatever our records may say.
    /// </summary>
    public static void Remove(string path)
    {
        FileActs.Before(FileAct.Remove, path);
        if (FileSystem.IsDevice(path))
        {
            throw new FileException(path, 0, "is a device, and devices are not removed", "look at what is at this path now");
        }

        try
        {
            FileException.Guard(path, () => File.Delete(path));
        }
        catch (FileException e) when (e.IsMissing)
        {
        }
    }

    /// <summary>Flushes a file that somebody else wrote.</summary>
    public static void Flush(string path)
    {
        FileActs.Before(FileAct.Flush, path);
        using var handle = Native.Open(path, Native.ReadOnly);
        Native.Flush(handle, path);
    }

    /// <summary>Reads a file, but not one of more than <paramref name="maximum"/> bytes.</summary>
    public static byte[] ReadBounded(string path, int maximum)
    {
        using var handle = Native.Open(path, Native.ReadOnly);
        return FileException.Guard(path, () => ReadBounded(handle, path, maximum));
    }

    /// <summary>Whether a file can be read and holds exactly this.</summary>
    public static bool Holds(string path, ReadOnlySpan<byte> content)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ComparedAtOnce);
        try
        {
            using var file = Native.Open(path, Native.ReadOnly);
            for (var at = 0; at < content.Length;)
            {
                var read = RandomAccess.Read(file, buffer.AsSpan(0, Math.Min(ComparedAtOnce, content.Length - at)), at);
                if (read == 0 || !content.Slice(at, read).SequenceEqual(buffer.AsSpan(0, read)))
                {
                    return false;
                }

                at += read;
            }

            return RandomAccess.GetLength(file) == content.Length;
        }
        catch (Exception e) when (e is FileException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Reads a UTF-8 text, but not one of more than <paramref name="maximum"/> bytes.</summary>
    public static string ReadTextBounded(string path, int maximum) => Encoding.UTF8.GetString(ReadBounded(path, maximum));

    internal static byte[] ReadBounded(SafeFileHandle handle, string path, int maximum)
    {
        // Sockets, pipes and /proc have no length that says anything; a file that grows meanwhile is bounded all the same.
        var length = RandomAccess.GetLength(handle);
        if (length > maximum)
        {
            throw new FileException(path, 0, $"is longer than {maximum} bytes", "it is not what it should be: look at it");
        }

        var content = new byte[length];
        var read = 0;
        while (read < content.Length && RandomAccess.Read(handle, content.AsSpan(read), read) is > 0 and var n)
        {
            read += n;
        }

        return read == content.Length ? content : content[..read];
    }

    private static void Replace(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + ".new";
        Write(temporary, content, Native.Truncate);
        try
        {
            FileActs.Before(FileAct.Rename, path);
            FileException.Guard(path, () => File.Move(temporary, path, overwrite: true));
        }
        catch (FileException)
        {
            RemoveQuietly(temporary);
            throw;
        }

        DurableFolder.Flush(FolderOf(path));
    }

    private static void Create(string path, ReadOnlySpan<byte> content)
    {
        Write(path, content, Native.Exclusive);
        try
        {
            DurableFolder.Flush(FolderOf(path));
        }
        catch (FileException)
        {
            RemoveQuietly(path);
            throw;
        }
    }

    private static void Write(string path, ReadOnlySpan<byte> content, int flag)
    {
        FileActs.Before(FileAct.Write, path);
        using var handle = Native.Open(path, Native.WriteOnly | Native.Create | flag);
        try
        {
            try
            {
                RandomAccess.Write(handle, content, fileOffset: 0);
            }
            catch (IOException e)
            {
                throw FileException.Of(path, Errno.From(e), e);
            }

            FileActs.Before(FileAct.Flush, path);
            Native.Flush(handle, path);
        }
        catch (FileException)
        {
            RemoveQuietly(path);
            throw;
        }
    }

    private static void RemoveQuietly(string path)
    {
        try
        {
            Remove(path);
        }
        catch (FileException)
        {
            // The error that brought us here says more.
        }
    }

    private static string FolderOf(string path) =>
        Path.GetDirectoryName(path) is { Length: > 0 } folder ? folder : throw new ArgumentException("not a file in a folder", nameof(path));
}
