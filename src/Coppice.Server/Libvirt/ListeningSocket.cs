using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Server.Libvirt;

/// <summary>Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED).</summary>
/// <param name="Process">The process that connected.</param>
/// <param name="User">Its user.</param>
internal readonly record struct PeerCredentials(int Process, int User)
{
    private const int SocketLevel = 1, PeerCredential = 17;

    /// <summary>It is root, or whoever runs this process.</summary>
    public bool MayChange => User is 0 || User == FileSystem.User;

    /// <summary>Asks the kernel.</summary>
    public static PeerCredentials Of(Socket socket)
    {
        Span<int> credentials = stackalloc int[3];
        socket.GetRawSocketOption(SocketLevel, PeerCredential, MemoryMarshal.AsBytes(credentials));
        return new PeerCredentials(credentials[0], credentials[1]);
    }
}

/// <summary>A socket on which clients are waited for.</summary>
internal sealed class ListeningSocket : IDisposable
{
    private const UnixFileMode ForOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode ForGroup = ForOwner | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    private readonly string? _path;

    // Another server may have taken the place of this one meanwhile.
    private readonly ulong? _inode;

    private ListeningSocket(Socket socket, bool isReadOnly, string? path)
    {
        (Socket, IsReadOnly, _path) = (socket, isReadOnly, path);
        _inode = path is null ? null : FileSystem.StampOf(path)?.Inode;
    }

    /// <summary>The socket.</summary>
    public Socket Socket { get; }

    /// <summary>Whoever connects may not change anything.</summary>
    public bool IsReadOnly { get; }

    /// <summary>Listens at a path. What an ended server left there goes; one that answers there is a mistake.</summary>
    /// <exception cref="CoppiceException">It cannot be listened at.</exception>
    public static ListeningSocket At(string path, bool isReadOnly)
    {
        var subject = $"socket {path}";
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            RemoveStale(path);
            using var address = SocketAddress.Of(path);
            socket.Bind(address.EndPoint);
            File.SetUnixFileMode(path, isReadOnly ? ForGroup : ForOwner);
            socket.Listen(LibvirtEndpoint.MostClients);
            return new ListeningSocket(socket, isReadOnly, path);
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or FileException)
        {
            socket.Dispose();
            throw new CoppiceException(ErrorKind.Storage, subject, $"cannot be listened at: {e.Message.TrimEnd('.')}", "give another path", e);
        }
    }

    /// <summary>One that was opened by whoever started this process (systemd's LISTEN_FDS); it is called <c>read-only</c> if it is that.</summary>
    public static ListeningSocket Inherited(int descriptor, string name)
    {
        InheritedFile.KeepFromChildren(descriptor);
        return new ListeningSocket(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)), name is "read-only", null);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Socket.Dispose();
        if (_path is not null && FileSystem.StampOf(_path)?.Inode == _inode)
        {
            File.Delete(_path);
        }
    }

    private static void RemoveStale(string path)
    {
        if (!File.Exists(path))
        {
            return;
        }

        if (!FileSystem.IsSocket(path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, $"socket {path}", "is a file and no socket", "give another path");
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            using var address = SocketAddress.Of(path);
            probe.Connect(address.EndPoint);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused)
        {
            File.Delete(path);
            return;
        }

        throw new CoppiceException(ErrorKind.AlreadyExists, $"socket {path}", "somebody answers there already", "stop that server, or give another path");
    }
}

/// <summary>The sockets that systemd opened for this process (sd_listen_fds).</summary>
internal static class SocketActivation
{
    private const int First = 3;

    /// <summary>They, in order; none if it opened none.</summary>
    /// <param name="variable">Reads an environment variable.</param>
    public static IEnumerable<ListeningSocket> Sockets(Func<string, string?> variable)
    {
        if (variable("LISTEN_PID") != Environment.ProcessId.ToString(CultureInfo.InvariantCulture)
            || !int.TryParse(variable("LISTEN_FDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var count))
        {
            return [];
        }

        var names = (variable("LISTEN_FDNAMES") ?? "").Split(':');
        return Enumerable.Range(0, count).Select(i => ListeningSocket.Inherited(First + i, i < names.Length ? names[i] : ""));
    }
}
