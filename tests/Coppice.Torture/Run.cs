using System.Globalization;

namespace Coppice.Torture;

/// <summary>All rooms at once, until the time is over or something is wrong.</summary>
internal sealed class Run(Settings settings, IReadOnlyList<Room> rooms) : IDisposable
{
    // Minutes are enough on a busy machine; what takes longer waits for something that never comes.
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(10);

    private readonly CancellationTokenSource _over = new();
    private readonly List<(Room Room, int Seed, Exception Error)> _wrong = [];

    /// <returns>Whether nothing was wrong.</returns>
    public async Task<bool> RunAsync()
    {
        using var interrupt = System.Runtime.InteropServices.PosixSignalRegistration.Create(
            System.Runtime.InteropServices.PosixSignal.SIGINT, c => { c.Cancel = true; _over.Cancel(); });
        Say($"    torture: SEED={settings.Room}{(settings.Room is null ? "" : ":")}{settings.Seed} TIME={(settings.Load ?? settings.Time).TotalSeconds:0}s");
        var open = rooms.Where(r => (settings.Room ?? r.Name) == r.Name).ToArray();
        if (settings.Room is null)
        {
            _over.CancelAfter(settings.Time);
        }

        var lanes = open.Where(r => r.Missing is null).SelectMany(r => Enumerable.Range(0, settings.Room is null ? r.Lanes : 1).Select(n => LaneAsync(r, n)));
        await Task.WhenAll([.. lanes]);
        foreach (var room in open)
        {
            await room.CloseAsync();
        }

        Report(open);
        return _wrong.Count == 0;
    }

    public void Dispose() => _over.Dispose();

    private Task LaneAsync(Room room, int lane) => Task.Run(async () =>
    {
        var seeds = new Random(room.Name.Aggregate(settings.Seed + lane, (hash, c) => unchecked((hash * 31) + c)));
        do
        {
            var seed = settings.Room is null ? seeds.Next() : settings.Seed;
            var begin = TimeProvider.System.GetTimestamp();
            try
            {
                await Task.Run(() => room.RoundAsync(new Random(seed), _over.Token)).WaitAsync(s_longest + (settings.Load ?? TimeSpan.Zero));
                room.Tally.Round();
            }
            catch (OperationCanceledException) when (_over.IsCancellationRequested)
            {
            }
            catch (Exception e)
            {
                lock (_wrong)
                {
                    _wrong.Add((room, seed, e));
                }

                await _over.CancelAsync();
            }

            if (settings.Room is not null)
            {
                return;
            }

            await Task.WhenAny(Task.Delay(TimeProvider.System.GetElapsedTime(begin) * room.Rest, _over.Token));
        }
        while (!_over.IsCancellationRequested);
    });

    private void Report(Room[] open)
    {
        foreach (var line in open.Where(r => r.Missing is null).SelectMany(r => r.Tally.Describe(r.Name)))
        {
            Say($"    {line}");
        }

        foreach (var room in open.Where(r => r.Missing is not null))
        {
            Say($"    {room.Name} [SKIP]: {room.Missing}");
        }

        foreach (var (room, seed, error) in _wrong)
        {
            Say($"    {room.Name} [FAIL]: {(error as Violation)?.Harm ?? Harm.Other}: {error.Message}\n{error}\n    again: make torture SEED={room.Name}:{seed}");
        }

        var harms = _wrong.Select(w => (w.Error as Violation)?.Harm ?? Harm.Other).ToLookup(h => h);
        Say($"    {open.Sum(r => r.Tally.Faults)} faults: {harms[Harm.Lost].Count()} lost, {harms[Harm.Corrupt].Count()} corrupt, "
            + $"{harms[Harm.LeftPaused].Count()} left paused, {harms[Harm.Orphan].Count()} orphans, {harms[Harm.Other].Count()} otherwise wrong");
        var failed = _wrong.Select(w => w.Room).Distinct().Count();
        Say($"   Coppice.Torture  Total: {open.Length}, Errors: 0, Failed: {failed}, Skipped: {open.Count(r => r.Missing is not null)}");
    }

    private static void Say(FormattableString text) => Console.Out.WriteLine(text.ToString(CultureInfo.InvariantCulture));

    private static void Say(string text) => Console.Out.WriteLine(text);
}
