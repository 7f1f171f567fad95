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
            if (!await HeardAsync(buffer.AsMemory(0, escape < 0 ? length : escape), cancellation) || length == 0 || escape >= 0)
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
            while (await SaidAsync(buffer, cancellation) is > 0 and var length)
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

    // A guest that ends resets the line if it left something unread: that is a hang-up like any other.
    private async Task<bool> HeardAsync(ReadOnlyMemory<byte> typed, CancellationToken cancellation)
    {
        try
        {
            await guest.WriteAsync(typed, cancellation);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task<int> SaidAsync(byte[] buffer, CancellationToken cancellation)
    {
        try
        {
            return await guest.ReadAsync(buffer, cancellation);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
