using System.Diagnostics;
using System.Text.Json;
using Coppice.Bench.Guests;
using Coppice.Bench.Host;
using Coppice.Engine;

namespace Coppice.Bench.Parts;

/// <summary>The ways to checkpoint a guest that are compared.</summary>
internal static class Checkpoints
{
    /// <summary>How the tables name virsh's external checkpoint.</summary>
    public const string Virsh = "virsh", VirshLive = "virsh --live", Command = "coppice, XFS, as a command";

    /// <summary>And how they name memory that is written while the guest runs on.</summary>
    public const string Background = "coppice --live, no volume";

    /// <summary>What the name of a part of a step begins with, and of a step.</summary>
    public const string PartPrefix = "part: ", StepPrefix = "step: ";

    /// <summary>Through the library, in this process.</summary>
    public static async Task<Taken> ByLibraryAsync(
        CoppiceGuest guest, string name, CancellationToken cancellation, bool isLive = false)
    {
        var start = Stopwatch.GetTimestamp();
        var result = await guest.CheckpointAsync(name, cancellation, isLive);
        return new Taken(Stopwatch.GetElapsedTime(start), result.Pause, result.Written.Bytes, [.. Parts(result)]);
    }

    /// <summary>By the published command, start of its process included.</summary>
    public static async Task<Taken> ByCommandAsync(Settings settings, CoppiceGuest guest, string name, CancellationToken cancellation)
    {
        var (elapsed, output) = await HostCommand.RunAsync(
            settings.Command, ["--home", guest.HomePath, "snapshot", "create", CoppiceGuest.Name, name, "--json"], cancellation);
        var said = JsonDocument.Parse(output).RootElement.GetProperty("result");
        return new Taken(elapsed, TimeSpan.FromMilliseconds(said.GetProperty("pauseMs").GetDouble()));
    }

    public static async Task<Taken> ByVirshAsync(LibvirtGuest guest, string name, bool isLive, CancellationToken cancellation)
    {
        var elapsed = await guest.CheckpointAsync(name, isLive, cancellation);
        return new Taken(elapsed, Written: guest.MemoryBytes(name));
    }

    /// <summary>Its steps, and the parts of those, each once.</summary>
    public static IEnumerable<(string Part, TimeSpan Elapsed)> Parts(OperationResult result)
    {
        foreach (var kind in result.Steps.GroupBy(s => s.Kind))
        {
            yield return (StepPrefix + kind.Key, Sum(kind.Select(s => s.Elapsed)));
        }

        foreach (var part in result.Steps.SelectMany(s => s.Report.Timings).GroupBy(t => t.Name))
        {
            yield return (PartPrefix + part.Key, Sum(part.Select(t => t.Elapsed)));
        }
    }

    private static TimeSpan Sum(IEnumerable<TimeSpan> times) => times.Aggregate(TimeSpan.Zero, (sum, time) => sum + time);
}
