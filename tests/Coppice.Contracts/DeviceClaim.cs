using Coppice.Files;

namespace Coppice.Contracts;

/// <summary>Uses a block device as the kernel does for a file system that it mounts: alone, as far as the host is concerned.</summary>
public static class DeviceClaim
{
    /// <summary>Claims a device until what is returned is disposed of.</summary>
    public static IDisposable Of(string device) => Native.Open(device, Native.ReadOnly | Native.Exclusive);
}
