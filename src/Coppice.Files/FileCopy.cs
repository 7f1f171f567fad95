using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>How a file was copied.</summary>
/// <param name="WrittenBytes">The bytes that were written; none if the copy shares those of the source.</param>
/// <param name="IsClone">The file system shares the bytes of both until one of them is written (FICLONE).</param>
public sealed record CopiedFile(long WrittenBytes, bool IsClone);

/// <summary>Copies large files that are mostly holes. What is zero in the source becomes a hole.</summary>
public static partial class FileCopy
{
    private const int SeekData = 3, SeekHole = 4;
    private const int Piece = 1 << 20, Grain = 64 << 10;

    /// <summary>Copies a file or block device into a new file, which is durable on return. Its folder is not flushed.</summary>
    /// <param name="source">What is copied, open for reading.</param>
    /// <param name="path">The new file, which must not exist.</param>
    /// <param name="progress">Told how many bytes of the source are done.</param>
    /// <param name="cancellation">Ends it; a part is left.</param>
    /// <exception cref="FileException">A read or a write failed; a part may be left.</exception>
    public static CopiedFile Copy(SafeFileHandle source, string path, Action<long>? progress, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(source);
        using var target = DurableFile.OpenNew(path);
        var isClone = FileClone.TryWhole(source, target);
        var written = isClone ? 0 : FileException.Guard(path, () => Copy(source, target, LengthOf(source), progress, cancellation));
        FileActs.Before(FileAct.Flush, path);
        Native.Flush(target, path);
        return new CopiedFile(written, isClone);
    }

    /// <summary>Copies the beginning of a file into one that is empty. Nothing is flushed.</summary>
    /// <param name="source">What is copied, open for reading; at least so long.</param>
    /// <param name="target">Open for writing.</param>
    /// <param name="path">Its path, for errors.</param>
    /// <param name="bytes">How long the target is afterwards; a multiple of the file system's blocks.</param>
    /// <param name="cancellation">Ends it; a part is left.</param>
    /// <exception cref="FileException">A read or a write failed; a part may be left.</exception>
    public static CopiedFile CopyBeginning(
        SafeFileHandle source, SafeFileHandle target, string path, long bytes, CancellationToken cancellation) =>
        FileClone.TryRange(source, target, path, bytes)
            ? new CopiedFile(0, IsClone: true)
            : new CopiedFile(FileException.Guard(path, () => Copy(source, target, bytes, null, cancellation)), IsClone: false);

    /// <summary>The length of an open file, or of a block device.</summary>
    public static long LengthOf(SafeFileHandle source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return Math.Max(lseek(source, 0, (int)SeekOrigin.End), 0);
    }

    private static long Copy(
        SafeFileHandle source, SafeFileHandle target, long length, Action<long>? progress, CancellationToken cancellation)
    {
        var written = 0L;
        var buffer = new byte[Piece];
        for (var at = NextData(source, 0, length); at < length; at = NextData(source, at, length))
        {
            for (var end = NextHole(source, at, length); at < end;)
            {
                cancellation.ThrowIfCancellationRequested();
                var piece = buffer.AsSpan(0, (int)Math.Min(Piece, end - at));
                var read = RandomAccess.Read(source, piece, at);
                if (read == 0)
                {
                    throw new IOException("the file became shorter while it was copied");
                }

                written += Write(target, piece[..read], at);
                at += read;
                progress?.Invoke(at);
            }
        }

        RandomAccess.SetLength(target, length);
        return written;
    }

    /// <summary>Writes what is not zero.</summary>
    private static long Write(SafeFileHandle target, ReadOnlySpan<byte> piece, long at)
    {
        var written = 0L;
        for (var start = 0; start < piece.Length; start += Grain)
        {
            var grain = piece.Slice(start, Math.Min(Grain, piece.Length - start));
            if (grain.ContainsAnyExcept((byte)0))
            {
                RandomAccess.Write(target, grain, at + start);
                written += grain.Length;
            }
        }

        return written;
    }

    // Where a file system, or a device, knows no holes, all of it is data.
    private static long NextData(SafeFileHandle source, long at, long length) => at >= length ? length
        : lseek(source, at, SeekData) is >= 0 and var data ? data
        : Marshal.GetLastPInvokeError() == Errno.NoSuchAddress ? length
        : at;

    private static long NextHole(SafeFileHandle source, long at, long length) =>
        lseek(source, at, SeekHole) is var hole && hole > at ? Math.Min(hole, length) : length;

#pragma warning disable IDE1006, CA1707 // The names are the system's.
    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);
#pragma warning restore IDE1006, CA1707
}
