using System.Globalization;
using System.Runtime.InteropServices;
using Coppice.Libvirt.Wire;

namespace Coppice.Server.Libvirt;

/// <summary>What the kernel tells of this host.</summary>
internal static class HostFacts
{
    // What /proc/stat counts in, whatever the kernel's own tick is.
    private const ulong NanosecondsPerTick = 10_000_000;

    /// <summary>The machine.</summary>
    public static RemoteNode Node()
    {
        var processors = File.ReadAllText("/proc/cpuinfo").Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(p => p.Split('\n').Select(l => l.Split(':', 2, StringSplitOptions.TrimEntries)).Where(l => l.Length == 2)
                .DistinctBy(l => l[0]).ToDictionary(l => l[0], l => l[1], StringComparer.Ordinal)).ToArray();
        var sockets = Math.Max(1, processors.Select(p => p.GetValueOrDefault("physical id")).Distinct().Count());
        var cores = processors.Length > 0 && processors[0].TryGetValue("cpu cores", out var text) ? Number(text) : processors.Length;
        var threads = Math.Max(1, processors.Length / Math.Max(1, sockets * cores));
        var mhz = processors.Length > 0 && processors[0].TryGetValue("cpu MHz", out var speed)
            ? (int)double.Parse(speed, CultureInfo.InvariantCulture) : 0;
        return new RemoteNode(Architecture, Memory()["MemTotal"], processors.Length, mhz, 1, sockets, cores, threads);
    }

    /// <summary>The architecture, as libvirt calls it.</summary>
    public static string Architecture => RuntimeInformation.OSArchitecture is System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64";

    /// <summary>How the memory is used, in KiB.</summary>
    public static IReadOnlyDictionary<string, ulong> Memory() => File.ReadLines("/proc/meminfo")
        .Select(l => l.Split((char[])[':', ' '], StringSplitOptions.RemoveEmptyEntries)).Where(w => w.Length >= 2)
        .ToDictionary(w => w[0], w => ulong.Parse(w[1], CultureInfo.InvariantCulture), StringComparer.Ordinal);

    /// <summary>How a CPU, or all of them, were used, in nanoseconds since the host was started; null if there is no such CPU.</summary>
    public static (string Name, ulong Value)[]? CpuTimes(int? cpu)
    {
        var label = cpu is { } number ? $"cpu{number.ToString(CultureInfo.InvariantCulture)}" : "cpu";
        var ticks = File.ReadLines("/proc/stat").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(w => w[0] == label)?.Skip(1).Select(w => ulong.Parse(w, CultureInfo.InvariantCulture) * NanosecondsPerTick).ToArray();
        return ticks is [var user, var nice, var system, var idle, var wait, var irq, var softIrq, ..]
            ? [("kernel", system + irq + softIrq), ("user", user + nice), ("idle", idle), ("iowait", wait)]
            : null;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
