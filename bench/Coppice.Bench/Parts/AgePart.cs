using Coppice.Bench.Guests;
using Coppice.Bench.Results;

namespace Coppice.Bench.Parts;

/// <summary>What becomes of the pause with long chains of disks, and with RAM that was cloned again and again.</summary>
internal sealed class AgePart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "age", Fresh = "fresh", Pieces = "pieces of the RAM";

    // Whoever checkpoints often keeps some, and lets the others go.
    private const int Kept = 10, Window = 10;
    private const long GrowthPerRound = 400L << 20;

    private GuestSize Size => settings.IsQuick ? GuestSize.Small : GuestSize.Middle;

    public async Task RunAsync()
    {
        await DepthAsync(settings.Rounds(30, 4), settings.Rounds(10));
        await AgeAsync(settings.Rounds(100, 12));
    }

    private async Task DepthAsync(int depth, int rounds)
    {
        Progress.Say($"age, {Size}: booting");
        await using var guest = await CoppiceGuest.BootAsync(
            settings, MemoryPlace.Xfs, Size, (depth + (4 * (rounds + 1))) * GrowthPerRound / 2, cancellation);
        await guest.SuspendAsync(cancellation);
        await MeasureAsync(guest, Fresh, rounds, "a");
        Progress.Say($"age, to depth {depth}");
        await guest.ResumeAsync(cancellation);
        var isDeep = 2 * (rounds + 1);
        for (var i = isDeep; i < depth; i++)
        {
            await guest.CheckpointAsync($"d{i}", cancellation);
            Progress.Dot();
        }

        await guest.SuspendAsync(cancellation);
        await MeasureAsync(guest, $"chain of {Math.Max(depth, isDeep)} or more", rounds, "b");
    }

    private async Task AgeAsync(int checkpoints)
    {
        Progress.Say($"age, {checkpoints} checkpoints under load: booting");
        await using var guest = await CoppiceGuest.BootAsync(
            settings, MemoryPlace.Xfs, Size, (Kept + settings.Rounds(10) + 4) * 2 * GrowthPerRound, cancellation);
        await guest.Witness.DirtyAsync(Load.Dirtying.BytesPerSecond, 0, cancellation);
        for (var i = 1; i <= checkpoints; i++)
        {
            guest.Witness.TakeLongestBeatGap();
            var taken = await Checkpoints.ByLibraryAsync(guest, $"c{i}", cancellation);
            var gap = await HeartbeatRounds.FeltAsync(guest, cancellation);
            AddOne(i, gap, taken, await guest.PiecesAsync(cancellation) ?? 0);
            await guest.KeepRoomAsync(cancellation, Kept);

            if (i % Window == 0)
            {
                Progress.Dot();
            }
        }

        await guest.Witness.DirtyAsync(0, 0, cancellation);
        await guest.SuspendAsync(cancellation);
        await MeasureAsync(guest, $"after {checkpoints} checkpoints", settings.Rounds(10), "e");
    }

    /// <summary>One of many, in its own window of ten.</summary>
    private void AddOne(int number, TimeSpan gap, Taken taken, int pieces)
    {
        var first = ((number - 1) / Window * Window) + 1;
        var window = $"{first}–{first + Window - 1}";
        recorder.Add(window, $"{Size}", Load.Dirtying.Name, HeartbeatRounds.Gap, gap);
        recorder.Add(window, $"{Size}", Load.Dirtying.Name, HeartbeatRounds.Total, taken.Total);
        recorder.Add(window, $"{Size}", Load.Dirtying.Name, Pieces, Recorder.Pieces, pieces);
    }

    private async Task MeasureAsync(CoppiceGuest guest, string subject, int rounds, string prefix)
    {
        var heartbeats = new HeartbeatRounds(recorder, $"{Size}", cancellation);
        foreach (var load in (Load[])[Load.Idle, Load.Dirtying])
        {
            Progress.Say($"age, {subject}, {load.Name}");
            await heartbeats.RunAsync(
                [
                    new(
                        subject, guest, rounds, name => Checkpoints.ByLibraryAsync(guest, prefix + name, cancellation),
                        _ => guest.KeepRoomAsync(cancellation)),
                ],
                load);
        }
    }
}
