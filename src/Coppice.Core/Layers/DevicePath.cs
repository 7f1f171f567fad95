namespace Coppice.Core;

/// <summary>Tells by a name alone whether it is a device's, where nothing may be looked at.</summary>
public static class DevicePath
{
    /// <summary>Whether a path lies where the system has its devices. What lies in <c>/dev/shm</c> are files.</summary>
    public static bool Names(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return path.StartsWith("/dev/", StringComparison.Ordinal) && !path.StartsWith("/dev/shm/", StringComparison.Ordinal);
    }
}
