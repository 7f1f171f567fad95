using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Coppice.Core;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Networks;

/// <summary>A system call about a network device failed.</summary>
internal sealed class NetworkCallException(string call, int errorNumber)
    : IOException($"{call}: {Marshal.GetPInvokeErrorMessage(errorNumber)}")
{
    public const int NotPermitted = 1, Access = 13, Busy = 16, NoDevice = 19, Invalid = 22;

    /// <summary>The error number of the system.</summary>
    public int ErrorNumber { get; } = errorNumber;

    /// <summary>Whether somebody with more rights could do it.</summary>
    public bool IsForbidden => ErrorNumber is NotPermitted or Access;
}

/// <summary>
/// The system calls about tap devices and bridges; .NET has none of them. Names are looked up in the network namespace of the
/// thread, where /sys may show another. Numbers are those of Linux' if_tun.h, if.h and sockios.h.
/// </summary>
internal static unsafe partial class NetworkCalls
{
    /// <summary>Where tap devices come from.</summary>
    public const string Source = "/dev/net/tun";

    private const uint SetTap = 0x400454CA, GetFlags = 0x8913, SetFlags = 0x8914, GetMtu = 0x8921, SetMtu = 0x8922,
        GetAddress = 0x8927, SetAddress = 0x8924, GetIndex = 0x8933, AddPort = 0x89A2;

    private const int TapWithoutHeader = 0x0002 | 0x1000, Exclusive = 0x8000;
    private const short Up = 1;

    // Bridges take the lowest address among their ports for their own: with this octet it is never this one.
    private const byte HighestOctet = 0xFE;

    /// <summary>Whether there is a network device of a name.</summary>
    public static bool Exists(string device)
    {
        using var socket = NewSocket();
        var request = Request.For(device);
        return Control(socket, GetIndex, &request) == 0;
    }

    /// <summary>Takes a tap device that exists, or makes one, which goes when the file is closed.</summary>
    /// <param name="name">Its name; null to let the kernel choose.</param>
    /// <param name="isNew">It is made, and the kernel refuses if there is a device of that name (busy).</param>
    /// <param name="device">The name that it has.</param>
    /// <exception cref="NetworkCallException">The kernel refused.</exception>
    public static SafeFileHandle OpenTap(string? name, bool isNew, out string device)
    {
        var file = OpenSource();
        try
        {
            var request = Request.For(name ?? "");
            request.Flags = (short)(TapWithoutHeader | (isNew ? Exclusive : 0));
            Check(Source, Control(file, SetTap, &request));
            device = request.Device;
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Makes a new device a port of a bridge, whose largest packet it takes over.</summary>
    /// <exception cref="NetworkCallException">The kernel refused.</exception>
    public static void Join(string device, string bridge)
    {
        using var socket = NewSocket();
        var (port, master) = (Request.For(device), Request.For(bridge));
        Check(device, Control(socket, GetAddress, &port));
        port.HardwareAddress[0] = HighestOctet;
        Check(device, Control(socket, SetAddress, &port));
        Check(bridge, Control(socket, GetMtu, &master));
        port.Number = master.Number;
        Check(device, Control(socket, SetMtu, &port));
        Check(device, Control(socket, GetIndex, &port));
        master.Number = port.Number;
        Check(bridge, Control(socket, AddPort, &master));
    }

    /// <summary>Switches a device on.</summary>
    /// <exception cref="NetworkCallException">The kernel refused.</exception>
    public static void SwitchOn(string device)
    {
        using var socket = NewSocket();
        var request = Request.For(device);
        Check(device, Control(socket, GetFlags, &request));
        request.Flags |= Up;
        Check(device, Control(socket, SetFlags, &request));
    }

    private static SafeFileHandle OpenSource()
    {
        try
        {
            return File.OpenHandle(Source, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        }
        catch (UnauthorizedAccessException)
        {
            throw new NetworkCallException(Source, NetworkCallException.Access);
        }
        catch (IOException)
        {
            throw new NetworkCallException(Source, NetworkCallException.NoDevice);
        }
    }

    private static Socket NewSocket() => new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    private static int Control(Socket socket, uint call, Request* request) => ControlCore(socket.SafeHandle, call, request);

    private static int Control(SafeHandle file, uint call, Request* request) => ControlCore(file, call, request);

    private static void Check(string subject, int result)
    {
        if (result != 0)
        {
            throw new NetworkCallException(subject, Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int ControlCore(SafeHandle file, nuint call, Request* request);

    /// <summary>Linux' <c>ifreq</c>: a name, and what is asked or told about the device.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct Request
    {
        [FieldOffset(0)]
        public fixed byte Name[16];

        [FieldOffset(16)]
        public short Flags;

        [FieldOffset(16)]
        public int Number;

        [FieldOffset(18)]
        public fixed byte HardwareAddress[6];

        public string Device
        {
            get
            {
                fixed (byte* name = Name)
                {
                    return Marshal.PtrToStringUTF8((nint)name)!;
                }
            }
        }

        public static Request For(string device)
        {
            var request = default(Request);
            var bytes = Encoding.ASCII.GetBytes(device);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, TapDevice.MaximumNameBytes);
            bytes.CopyTo(new Span<byte>(request.Name, bytes.Length));
            return request;
        }
    }
}
