using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Files;

/// <summary>Hands an open file to the process at the other end of a unix socket, or takes one. .NET has no way to.</summary>
public static unsafe partial class UnixDescriptors
{
    private const int SolSocket = 1;
    private const int ScmRights = 1;
    private const int NoSignal = 0x4000;
    private const int DoNotWait = 0x40;
    private const int CloseReceivedOnExec = 0x40000000;
    private const int LocalFamily = 1;
    private const int Stream = 1;
    private const int CloseOnExec = 0x80000;
    private const int SetDescriptorFlags = 2;
    private const int SetStatusFlags = 4;
    private const int Again = 11;
    private const int Interrupted = 4;

    /// <summary>Sends bytes with a descriptor attached to them.</summary>
    /// <param name="socket">A unix socket.</param>
    /// <param name="bytes">At least one byte.</param>
    /// <param name="file">What the peer gets a descriptor of its own of.</param>
    /// <returns>Whether they were sent; false if the socket's buffer is full and the call is to be repeated.</returns>
    /// <exception cref="SocketException">The peer is gone.</exception>
    public static bool TrySend(Socket socket, ReadOnlySpan<byte> bytes, SafeHandle file)
    {
        ArgumentNullException.ThrowIfNull(socket);
        ArgumentNullException.ThrowIfNull(file);

        // One control message with one int, as CMSG_SPACE lays it out where size_t has 8 bytes.
        var control = stackalloc byte[24];
        var header = (ControlHeader*)control;
        *header = new ControlHeader { Length = 20, Level = SolSocket, Type = ScmRights };
        var added = false;
        try
        {
            file.DangerousAddRef(ref added);
            *(int*)(control + sizeof(ControlHeader)) = (int)file.DangerousGetHandle();
            fixed (byte* data = bytes)
            {
                var vector = new IoVector { Base = data, Length = (nuint)bytes.Length };
                var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 24 };
                var sent = SendMessage(socket.SafeHandle, &message, NoSignal);
                return sent == bytes.Length || (sent < 0 ? Failed() : throw new SocketException((int)SocketError.MessageSize));
            }
        }
        finally
        {
            if (added)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Has whoever reads from a socket wait, in whatever process: .NET has made it one that nobody waits for.</summary>
    public static void MakeBlocking(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        if (SetFlags(socket.SafeHandle, SetStatusFlags, 0) != 0)
        {
            throw new SocketException(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>A pair of sockets, of which the programs that are started inherit the second one.</summary>
    public static Socket NewPair(out SafeFileHandle inherited)
    {
        var pair = stackalloc int[2];
        if (MakePair(LocalFamily, Stream | CloseOnExec, 0, pair) != 0)
        {
            throw new SocketException(Marshal.GetLastPInvokeError());
        }

        inherited = new SafeFileHandle(pair[1], ownsHandle: true);
        var first = new Socket(new SafeSocketHandle(pair[0], ownsHandle: true));
        return SetFlags(inherited, SetDescriptorFlags, 0) == 0 ? first : throw new SocketException(Marshal.GetLastPInvokeError());
    }

    /// <summary>Takes the file that was sent, if one was.</summary>
    public static SafeFileHandle? TryReceive(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        byte data;
        var control = stackalloc byte[24];
        var vector = new IoVector { Base = &data, Length = 1 };
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = control, ControlLength = 24 };
        var header = (ControlHeader*)control;
        return ReceiveMessage(socket.SafeHandle, &message, DoNotWait | CloseReceivedOnExec) == 1
            && message.ControlLength >= 20 && header->Length == 20 && header->Level == SolSocket && header->Type == ScmRights
            ? new SafeFileHandle(*(int*)(control + sizeof(ControlHeader)), ownsHandle: true)
            : null;
    }

    private static bool Failed() => Marshal.GetLastPInvokeError() switch
    {
        Again or Interrupted => false,
        var error => throw new SocketException(error),
    };

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessage(SafeHandle socket, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(SafeHandle socket, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "socketpair", SetLastError = true)]
    private static partial int MakePair(int family, int type, int protocol, int* pair);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int SetFlags(SafeHandle file, int command, int flags);

    [StructLayout(LayoutKind.Sequential)]
    private struct ControlHeader
    {
        public nuint Length;
        public int Level;
        public int Type;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        public byte* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        public byte* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public byte* Control;
        public nuint ControlLength;
        public int Flags;
    }
}
