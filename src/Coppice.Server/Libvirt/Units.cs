using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>The units that libvirt counts in.</summary>
internal static class Units
{
    private const long Kibibyte = 1024;

    public static ulong InKibibytes(this ByteCount size) => (ulong)(size.Bytes / Kibibyte);

    public static ulong InNanoseconds(this TimeSpan time) => (ulong)time.TotalNanoseconds;
}
