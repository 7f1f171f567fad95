using System.Net.Sockets;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>
/// The address of a unix socket, for whoever connects to it. An address has at most 107 bytes, a path may have more: then the
/// socket's folder is opened, and the address leads through what is open. It is valid until it is disposed.
/// </summary>
public sealed class SocketAddress : IDisposable
{
    private const int MaximumBytes = 107;

    private readonly SafeFileHandle? _folder;

    private SocketAddress(SafeFileHandle? folder, string address)
    {
        _folder = folder;
        EndPoint = new UnixDomainSocketEndPoint(address);
    }

    /// <summary>What to connect to.</summary>
    public UnixDomainSocketEndPoint EndPoint { get; }

    /// <summary>Makes the address of a path.</summary>
    /// <param name="path">The absolute path of the socket, or of a link to it.</param>
    /// <exception cref="FileException">The path is long and its folder cannot be opened.</exception>
    public static SocketAddress Of(string path)
    {
        if (Encoding.UTF8.GetByteCount(path) <= MaximumBytes)
        {
            return new SocketAddress(null, path);
        }

        var folder = Native.Open(Path.GetDirectoryName(path)!, Native.ReadOnly);
        return new SocketAddress(folder, $"/proc/self/fd/{folder.DangerousGetHandle()}/{Path.GetFileName(path)}");
    }

    /// <inheritdoc/>
    public void Dispose() => _folder?.Dispose();
}
