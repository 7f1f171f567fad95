using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Qemu.Steps;

/// <summary>Measures the parts of a step, one after the other.</summary>
internal sealed class Stopwatches(TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();
    private readonly List<Timing> _parts = [];

    /// <summary>The time since it was made.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    /// <summary>The parts so far.</summary>
    public ImmutableArray<Timing> Timings => [.. _parts];

    /// <summary>Ends the first part.</summary>
    public void Add(string name) => _parts.Add(new Timing(name, Elapsed));

    /// <summary>Measures a part.</summary>
    public async Task TimeAsync(string name, Func<Task> part)
    {
        var start = time.GetTimestamp();
        await part();
        _parts.Add(new Timing(name, time.GetElapsedTime(start)));
    }
}
