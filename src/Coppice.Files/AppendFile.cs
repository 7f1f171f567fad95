using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>A file that only grows. What was appended is durable once it is flushed.</summary>
public sealed class AppendFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private long _length;

    private AppendFile(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
        _length = RandomAccess.GetLength(handle);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Makes a file that must not exist yet. Its folder is not flushed.</summary>
    public static AppendFile Create(string path)
    {
        FileActs.Before(FileAct.Write, path);
        return new AppendFile(path, Native.Open(path, Native.ReadWrite | Native.Create | Native.Exclusive));
    }

    /// <summary>Goes on with a file, after its first <paramref name="length"/> bytes; what follows them is cut off.</summary>
    public static AppendFile Continue(string path, long length)
    {
        var file = new AppendFile(path, Native.Open(path, Native.ReadWrite));
        if (file._length != length)
        {
            FileActs.Before(FileAct.Write, path);
            FileException.Guard(path, () => RandomAccess.SetLength(file._handle, length));
            file._length = length;
        }

        return file;
    }

    /// <summary>Adds bytes; they are durable after the next <see cref="Flush"/>.</summary>
    public void Append(ReadOnlyMemory<byte> bytes)
    {
        FileActs.Before(FileAct.Write, Path);
        FileException.Guard(Path, () => RandomAccess.Write(_handle, bytes.Span, _length));
        _length += bytes.Length;
    }

    /// <summary>Makes durable what was appended.</summary>
    public void Flush()
    {
        FileActs.Before(FileAct.Flush, Path);
        Native.Flush(_handle, Path);
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
