using System.Globalization;

namespace Coppice.Bench.Host;

/// <summary>A block device, and what was written to it.</summary>
/// <param name="Number">Its number, as <c>254:0</c>.</param>
/// <param name="Name">Its name in /dev.</param>
internal sealed record BlockDevice(string Number, string Name)
{
    private const int SectorBytes = 512, WrittenSectors = 6;

    /// <summary>The bytes that were written to it since it is there, by whomever.</summary>
    public long WrittenBytes => SectorBytes * long.Parse(
        File.ReadAllText($"/sys/dev/block/{Number}/stat").Split(' ', StringSplitOptions.RemoveEmptyEntries)[WrittenSectors],
        CultureInfo.InvariantCulture);

    /// <summary>The device on which a path lies; null if that is in memory.</summary>
    public static async Task<BlockDevice?> OfAsync(string path, CancellationToken cancellation)
    {
        var (_, output) = await HostCommand.RunAsync(
            "findmnt", ["--noheadings", "--output", "SOURCE", "--nofsroot", "--target", path], cancellation);
        var source = output.Trim();
        return source.StartsWith("/dev/", StringComparison.Ordinal)
            ? new BlockDevice(
                File.ReadAllText($"/sys/class/block/{Path.GetFileName(source)}/dev").Trim(), Path.GetFileName(source))
            : null;
    }
}
