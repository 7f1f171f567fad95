using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>
/// A lock between processes. It ends with the process that holds it, however that ends, and is not inherited by programs
/// the process starts. The file itself stays; its content says who holds it.
/// </summary>
public sealed class FileLock : IDisposable
{
    private const int MaximumNote = 4096;
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    private readonly SafeFileHandle _handle;

    private FileLock(SafeFileHandle handle) => _handle = handle;

    /// <summary>Takes the lock, or null if somebody else has it.</summary>
    /// <param name="path">The file, made if it is not there; its folder must be.</param>
    public static FileLock? TryAcquire(string path)
    {
        while (true)
        {
            var handle = Native.Open(path, Native.ReadWrite | Native.Create);
            if (!Native.TryLock(handle, path))
            {
                handle.Dispose();
                return null;
            }

            // Whoever removed the file held it: a lock of a removed file keeps nobody out.
            if (!IsRemoved(handle))
            {
                return new FileLock(handle);
            }

            handle.Dispose();
        }
    }

    /// <summary>Takes the lock, waiting for it at most so long; null if it was not to be had.</summary>
    public static async Task<FileLock?> AcquireAsync(string path, TimeSpan wait, TimeProvider time, CancellationToken cancellation = default)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (TryAcquire(path) is { } taken)
            {
                return taken;
            }

            var left = wait - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
            {
                return null;
            }

            await Task.Delay(left < s_interval ? left : s_interval, time, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>What the holder, or the last one, noted; empty if nothing.</summary>
    public static string ReadNote(string path)
    {
        try
        {
            return DurableFile.ReadTextBounded(path, MaximumNote);
        }
        catch (FileException)
        {
            return "";
        }
    }

    /// <summary>Notes who holds the lock and why. It is for people, so it is not flushed and may fail.</summary>
    public void Note(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        try
        {
            RandomAccess.SetLength(_handle, 0);
            RandomAccess.Write(_handle, bytes.AsSpan(0, Math.Min(bytes.Length, MaximumNote)), fileOffset: 0);
        }
        catch (IOException)
        {
            // A full disk must not keep anybody from deleting something.
        }
    }

    /// <summary>The open file, for a program that is to hold the lock from when it begins; see <see cref="PassOn"/>.</summary>
    public SafeHandle File => _handle;

    /// <summary>Closes the file without letting go: the lock ends with whoever was given <see cref="File"/>.</summary>
    public void PassOn() => _handle.Dispose();

    /// <summary>Lets go.</summary>
    public void Dispose()
    {
        // Closing is not enough: a child that was forked a moment ago has the file open until it begins its program.
        if (!_handle.IsClosed)
        {
            Native.Unlock(_handle);
        }

        _handle.Dispose();
    }

    private static bool IsRemoved(SafeFileHandle handle)
    {
        var link = $"/proc/self/fd/{handle.DangerousGetHandle()}";
        return new FileInfo(link).LinkTarget?.EndsWith(" (deleted)", StringComparison.Ordinal) == true;
    }
}
