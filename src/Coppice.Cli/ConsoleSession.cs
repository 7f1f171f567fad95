using System.Buffers;

namespace Coppice.Cli;

/// <summary>Carries bytes between a guest and a terminal until either ends, or the escape character is typed.</summary>
internal sealed class ConsoleSession(Stream guest, Stream input, Stream output)
{
    /// <summary>Ctrl-], as telnet and virsh have it.</summary>
    public const byte Escape = 0x1D;

    private const int BufferBytes = 4096;

    public async Task RunAsync(CancellationToken cancellation)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var typed = TypeAsync(ended.Token);
        var shown = ShowAsync(ended.Token);

        // Input that is no terminal ends at once; what the guest answers is still wanted.
        await (await Task.WhenAny(typed, shown) == typed && await typed ? typed : shown);
        await ended.CancelAsync();
    }

    /// <summary>Returns whether the user left, rather than the input ended.</summary>
    private async Task<bool> TypeAsync(CancellationToken cancellation)
    {
        var buffer = new byte[BufferBytes];
        while (true)
        {
            // Reading a terminal cannot be cancelled: a read that still waits at the end is left behind with the process.
            var length = await Task.Run(() => input.Read(buffer), CancellationToken.None).WaitAsync(cancellation);
            var escape = Array.IndexOf(buffer, Escape, 0, length);
            await guest.WriteAsync(buffer.AsMemory(0, escape < 0 ? length : escape), cancellation);
            if (length == 0 || escape >= 0)
            {
                return escape >= 0;
            }
        }
    }

    private async Task ShowAsync(CancellationToken cancellation)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (var length = await guest.ReadAsync(buffer, cancellation); length > 0; length = await guest.ReadAsync(buffer, cancellation))
            {
                await output.WriteAsync(buffer.AsMemory(0, length), cancellation);
                await output.FlushAsync(cancellation);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
