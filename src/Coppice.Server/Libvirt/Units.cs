using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>The units that libvirt counts in.</summary>
internal static class Units
{
    private const long Kibibyte = 1024;

    /// <summary>A size in whole KiB.</summary>
    public static ulong InKibibytes(this ByteCount size) => (ulong)(size.Bytes / Kibibyte);

    /// <summary>So many KiB; null if nothing has that size.</summary>
    public static ByteCount? OfKibibytes(ulong kibibytes) =>
        kibibytes is > 0 and <= long.MaxValue / Kibibyte ? new ByteCount((long)kibibytes * Kibibyte) : null;

    /// <summary>A time in ns.</summary>
    public static ulong InNanoseconds(this TimeSpan time) => (ulong)time.TotalNanoseconds;
}
