using System.Diagnostics;
using Coppice.Bench.Guests;
using Coppice.Bench.Results;

namespace Coppice.Bench.Parts;

/// <summary>Checkpoints guests in turn, and notes what they feel. Only one of them runs at a time.</summary>
/// <param name="recorder">Where the figures go.</param>
/// <param name="size">The guests' size, as the tables name it.</param>
/// <param name="cancellation">Ends it.</param>
internal sealed class HeartbeatRounds(Recorder recorder, string size, CancellationToken cancellation)
{
    public const string Gap = "gap", Undisturbed = "undisturbed", Pause = "pause", Total = "total", Written = "written", Rate = "dirtied a second";

    private static readonly TimeSpan s_settling = TimeSpan.FromMilliseconds(400), s_calm = TimeSpan.FromSeconds(1);
    private int _taken;

    /// <summary>Round by round each contestant once; the first round is not counted. All guests are suspended before and after.</summary>
    /// <param name="contestants">Those who take part.</param>
    /// <param name="load">What the guest dirties meanwhile.</param>
    public async Task RunAsync(IReadOnlyList<Contestant> contestants, Load load)
    {
        for (var round = 0; round <= contestants.Max(c => c.Rounds); round++)
        {
            foreach (var contestant in contestants.Where(c => round <= c.Rounds))
            {
                await contestant.Guest.ResumeAsync(cancellation);
                await TakeAsync(contestant, load, round > 0);
                await contestant.Guest.SuspendAsync(cancellation);
            }

            Progress.Dot();
        }
    }

    private async Task TakeAsync(Contestant contestant, Load load, bool isCounted)
    {
        var witness = contestant.Guest.Witness;
        await witness.DirtyAsync(load.BytesPerSecond, 0, cancellation);
        await Task.Delay(s_settling, cancellation);
        var (start, before) = (Stopwatch.GetTimestamp(), (await witness.StatusAsync(cancellation)).DirtiedBytes);
        witness.TakeLongestBeatGap();
        await Task.Delay(s_calm, cancellation);
        var undisturbed = witness.TakeLongestBeatGap();
        var dirtied = (await witness.StatusAsync(cancellation)).DirtiedBytes - before;
        var rate = dirtied / Stopwatch.GetElapsedTime(start).TotalSeconds;
        var name = $"s{++_taken}";
        var taken = await contestant.CheckpointAsync(name);
        var gap = await FeltAsync(contestant.Guest, cancellation);
        await witness.DirtyAsync(0, 0, cancellation);
        await (contestant.ForgetAsync?.Invoke(name) ?? Task.CompletedTask);
        if (isCounted)
        {
            recorder.Add(contestant.Subject, size, load.Name, Rate, Recorder.Bytes, rate);
            Add(contestant.Subject, load, Undisturbed, undisturbed);
            Add(contestant.Subject, load, Gap, gap);
            Note(contestant.Subject, load, taken);
        }
    }

    /// <summary>The longest gap between two beats, once the guest is surely heard again.</summary>
    public static async Task<TimeSpan> FeltAsync(Guest guest, CancellationToken cancellation)
    {
        await guest.Witness.StatusAsync(cancellation);
        await Task.Delay(TimeSpan.FromMilliseconds(100), cancellation);
        return guest.Witness.TakeLongestBeatGap();
    }

    private void Note(string subject, Load load, Taken taken)
    {
        Add(subject, load, Total, taken.Total);
        if (taken.Pause is { } pause)
        {
            Add(subject, load, Pause, pause);
        }

        if (taken.Written is { } written)
        {
            recorder.Add(subject, size, load.Name, Written, Recorder.Bytes, written);
        }

        foreach (var (part, elapsed) in taken.Parts ?? [])
        {
            Add(subject, load, part, elapsed);
        }
    }

    private void Add(string subject, Load load, string measure, TimeSpan value) => recorder.Add(subject, size, load.Name, measure, value);
}
