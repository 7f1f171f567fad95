using System.Collections.Concurrent;
using System.Globalization;

namespace Coppice.Torture.Load;

/// <summary>How long answers took, and what the server used.</summary>
internal sealed class Figures
{
    private readonly ConcurrentBag<double> _reads = [];
    private readonly ConcurrentBag<double> _changes = [];
    private readonly List<(int Server, double At, long ResidentKiB, int Files)> _samples = [];
    private readonly long _begin = TimeProvider.System.GetTimestamp();

    /// <summary>The longest time that an answer took.</summary>
    public TimeSpan Longest => TimeSpan.FromMilliseconds(_reads.Concat(_changes).DefaultIfEmpty().Max());

    /// <summary>A call was answered.</summary>
    public void Answered(bool changes, TimeSpan time) => (changes ? _changes : _reads).Add(time.TotalMilliseconds);

    /// <summary>Looks at a server twice a second.</summary>
    public async Task WatchAsync(LoadServer server, CancellationToken over)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(500));
        try
        {
            while (await timer.WaitForNextTickAsync(over))
            {
                Sample(server);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    /// <summary>The memory of the last server in the second and in the last fifth of its life under load, in MiB, medians.</summary>
    public (double Second, double Last, TimeSpan Time) Memory()
    {
        var last = _samples.Where(s => s.Server == _samples[^1].Server).ToArray();
        var fifth = Math.Max(1, last.Length / 5);
        return (MiB(last.Skip(fifth).Take(fifth)), MiB(last.TakeLast(fifth)), TimeSpan.FromSeconds(last[^1].At - last[0].At));

        static double MiB(IEnumerable<(int, double, long ResidentKiB, int)> samples) =>
            samples.Select(s => s.ResidentKiB).Order().ToArray() is { Length: > 0 } sorted ? sorted[sorted.Length / 2] / 1024.0 : 0;
    }

    public IEnumerable<string> Describe()
    {
        yield return string.Create(CultureInfo.InvariantCulture, $"reads: {Times(_reads)}; changes: {Times(_changes)}");
        if (_samples.Count > 0)
        {
            var (second, last, _) = Memory();
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"memory of the server: {second:0} MiB in the second fifth, {last:0} MiB in the last, {_samples.Max(s => s.ResidentKiB) / 1024} at most; {_samples.Max(s => s.Files)} files open at most");
        }
    }

    private static string Times(IEnumerable<double> times)
    {
        var sorted = times.Order().ToArray();
        return sorted.Length == 0 ? "none" : string.Create(
            CultureInfo.InvariantCulture,
            $"{sorted.Length} answered, {sorted[sorted.Length / 2]:0} ms in the median, 99 of 100 within {sorted[(int)(sorted.Length * 0.99)]:0}, {sorted[^1]:0} the longest");
    }

    private void Sample(LoadServer server)
    {
        try
        {
            var id = server.Id;
            var resident = File.ReadLines($"/proc/{id}/status").First(l => l.StartsWith("VmRSS", StringComparison.Ordinal));
            _samples.Add((
                server.Generation, TimeProvider.System.GetElapsedTime(_begin).TotalSeconds,
                long.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture), OpenFiles.Of(id).Count));
        }
        catch (Exception e) when (e is IOException or InvalidOperationException)
        {
            // It is being killed.
        }
    }
}

/// <summary>What a process has open.</summary>
/// <param name="Sockets">Sockets.</param>
/// <param name="Others">Anything else but the parts of its program, which it opens as it needs them.</param>
internal readonly record struct OpenFiles(int Sockets, int Others)
{
    public int Count => Sockets + Others;

    public static OpenFiles Of(int process)
    {
        var targets = Directory.GetFileSystemEntries($"/proc/{process}/fd").Select(f => new FileInfo(f).LinkTarget ?? "")
            .Where(t => Path.GetExtension(t) is not (".dll" or ".pdb")).ToArray();
        var sockets = targets.Count(t => t.StartsWith("socket:", StringComparison.Ordinal));
        return new OpenFiles(sockets, targets.Length - sockets);
    }
}
