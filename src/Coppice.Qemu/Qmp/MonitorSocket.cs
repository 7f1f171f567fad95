using System.Net.Sockets;
using Coppice.Files;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Qmp;

/// <summary>The socket of a monitor: reached with patience, written to by one sender at a time, with files if need be.</summary>
internal sealed class MonitorSocket : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(2);

    private readonly Socket _socket;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _sending = new(1);

    private MonitorSocket(Socket socket, TimeProvider time)
    {
        _socket = socket;
        _time = time;
        Input = new NetworkStream(socket, ownsSocket: false);
    }

    /// <summary>The socket itself. It closes with this object.</summary>
    public SafeSocketHandle Handle => _socket.SafeHandle;

    /// <summary>What the monitor says.</summary>
    public Stream Input { get; }

    /// <summary>
    /// Whether it is certain that nobody listens: the connection is refused, or there is no socket. Never waits.
    /// </summary>
    public static bool IsDeserted(string path)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
            using var address = SocketAddress.Of(path);
            socket.Connect(address.EndPoint);
            return false;
        }
        catch (SocketException e)
        {
            // The framework's name for ENOENT. A full queue, a lack of rights or of descriptors: somebody may listen.
            return e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.AddressNotAvailable;
        }
        catch (FileException e)
        {
            return e.IsMissing;
        }
    }

    /// <summary>Connects, and tries again while it is worth waiting.</summary>
    /// <param name="path">The path of the socket.</param>
    /// <param name="lives">Whether it is worth waiting.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="SocketException">Nobody listens.</exception>
    /// <exception cref="FileException">Its folder is gone.</exception>
    public static async Task<MonitorSocket> ConnectAsync(
        string path, Func<bool> lives, TimeProvider time, CancellationToken cancellation)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                using var address = SocketAddress.Of(path);
                await socket.ConnectAsync(address.EndPoint, cancellation);
                return new MonitorSocket(socket, time);
            }
            catch (SocketException) when (lives())
            {
                // It does not listen yet, or the queue of clients before us is full.
                socket.Dispose();
                await Task.Delay(s_interval, time, cancellation);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }

    /// <summary>Sends bytes, after whatever others are sending.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="file">A file to hand over with them; null for none.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="SocketException">The peer is gone.</exception>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, SafeFileHandle? file, CancellationToken cancellation)
    {
        await _sending.WaitAsync(cancellation);
        try
        {
            if (file is not null)
            {
                while (!UnixDescriptors.TrySend(_socket, bytes.Span, file))
                {
                    await Task.Delay(s_interval, _time, cancellation);
                }

                return;
            }

            for (var left = bytes; left.Length > 0;)
            {
                left = left[await _socket.SendAsync(left, SocketFlags.None, cancellation)..];
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Ends the connection; whoever reads is told. Senders must have ended.</summary>
    public void Dispose() => _socket.Dispose();
}
