using System.Globalization;

namespace Coppice.Bench.Host;

/// <summary>The memory of a process.</summary>
/// <param name="Proportional">Its pages, those that it shares with others divided among them (PSS), in bytes.</param>
/// <param name="Anonymous">What of its pages is no file's, in bytes.</param>
internal sealed record ProcessMemory(long Proportional, long Anonymous)
{
    public static ProcessMemory Of(int process)
    {
        var lines = File.ReadAllLines($"/proc/{process}/smaps_rollup");
        return new ProcessMemory(Read("Pss:"), Read("Anonymous:"));

        long Read(string name) => 1024 * long.Parse(
            lines.First(l => l.StartsWith(name, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture);
    }
}
