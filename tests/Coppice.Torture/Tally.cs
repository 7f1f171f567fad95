using System.Collections.Concurrent;
using System.Globalization;

namespace Coppice.Torture;

/// <summary>What was done to one room, and with what.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<string, int> _operations = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _faults = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _points = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _notes = new();
    private int _rounds;
    private int _refused;

    public int Faults => _faults.Values.Sum();

    public void Round() => Interlocked.Increment(ref _rounds);

    public void Refused() => Interlocked.Increment(ref _refused);

    /// <summary>Something else that a reader wants to know.</summary>
    public void Note(string note) => _notes.Enqueue(note);

    /// <summary>An operation met a fault, or passed without one.</summary>
    /// <param name="name">The operation.</param>
    /// <param name="fault">The fault.</param>
    /// <param name="point">Where, in the words of the room; null if that is not counted.</param>
    public void Operation(string name, string? fault, string? point = null)
    {
        if (fault is not null && point is not null)
        {
            _points.TryAdd(point, 0);
        }

        _operations.AddOrUpdate(name, 1, (_, n) => n + 1);
        if (fault is not null)
        {
            _faults.AddOrUpdate(fault, 1, (_, n) => n + 1);
        }
    }

    public IEnumerable<string> Describe(string room) =>
    [
        string.Create(
            CultureInfo.InvariantCulture,
            $"{room}: {_rounds} rounds, {_operations.Values.Sum()} operations ({_refused} more were refused), {Faults} faults{(_points.IsEmpty ? "" : $" at {_points.Count} different points")}"),
        $"  faults: {Mix(_faults)}",
        $"  operations: {Mix(_operations)}",
        .. _notes.Select(n => $"  {n}"),
    ];

    private static string Mix(ConcurrentDictionary<string, int> counts) => string.Join(
        ", ", counts.OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key} {c.Value}"));
}
