using System.Diagnostics;

namespace Coppice.Bench.Host;

/// <summary>What is measured on.</summary>
internal static class Machine
{
    private const int ProbeBytes = 512 << 20;

    /// <summary>Its parts, name by name.</summary>
    public static async Task<Dictionary<string, string>> DescribeAsync(Settings settings, CancellationToken cancellation)
    {
        var device = await BlockDevice.OfAsync(settings.Work, cancellation);
        var fileSystem = await HostCommand.TryReadAsync("findmnt", "--noheadings", "--output", "FSTYPE", "--target", settings.Work);
        var qemu = await HostCommand.TryReadAsync("qemu-system-x86_64", "--version");
        return new()
        {
            ["Processors"] = $"{Environment.ProcessorCount} of {Processor()}; guests run under TCG, without KVM",
            ["Memory"] = $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20:N0} MiB",
            ["Disk"] = $"{device?.Name ?? "memory"}, {fileSystem}; "
                + $"{await WriteSpeedAsync(settings.Work, cancellation):N0} MB/s in one stream, fsync included",
            ["System"] = $"{SystemName()}, Linux {File.ReadAllText("/proc/sys/kernel/osrelease").Trim()}",
            ["QEMU"] = qemu.Split('\n')[0].Replace("QEMU emulator version ", "", StringComparison.Ordinal),
            ["libvirt"] = await HostCommand.TryReadAsync("virsh", "--version"),
            ["Coppice"] = await HostCommand.TryReadAsync(settings.Command, "--version"),
        };
    }

    private static string Processor() => Named("/proc/cpuinfo", ":", "model name");

    private static string SystemName() => Named("/etc/os-release", "=", "PRETTY_NAME").Trim('"');

    private static string Named(string file, string separator, string name) => File.ReadLines(file)
        .Select(l => l.Split(separator, 2)).FirstOrDefault(p => p is [var key, _] && key.Trim() == name)?[1].Trim() ?? "?";

    private static async Task<double> WriteSpeedAsync(string folder, CancellationToken cancellation)
    {
        var path = Path.Combine(folder, "probe");
        var block = new byte[4 << 20];
        Random.Shared.NextBytes(block);
        var start = Stopwatch.GetTimestamp();
        try
        {
            await using var file = File.Create(path, bufferSize: 1);
            for (var written = 0; written < ProbeBytes; written += block.Length)
            {
                await file.WriteAsync(block, cancellation);
            }

            file.Flush(flushToDisk: true);
            return ProbeBytes / 1e6 / Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        finally
        {
            File.Delete(path);
        }
    }
}
