using System.Runtime.InteropServices;

namespace Coppice.Files;

/// <summary>
/// Random bytes of the kernel (getrandom(2)). Those of the framework are as good, and load a library for ciphers first, which takes a
/// short command a good part of its time.
/// </summary>
public static partial class RandomBytes
{
    private const int AtOnce = 256; // So much comes in one piece, whatever interrupts.

    /// <summary>Fills a buffer.</summary>
    /// <exception cref="FileException">The kernel has none.</exception>
    public static void Fill(Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var piece = buffer[..Math.Min(buffer.Length, AtOnce)];
            if (GetRandom(ref MemoryMarshal.GetReference(piece), (nuint)piece.Length, 0) == piece.Length)
            {
                buffer = buffer[piece.Length..];
            }
            else if (Marshal.GetLastPInvokeError() is var errno and not Errno.Interrupted)
            {
                throw FileException.Of("/dev/urandom", errno);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "getrandom", SetLastError = true)]
    private static partial nint GetRandom(ref byte buffer, nuint length, uint flags);
}
