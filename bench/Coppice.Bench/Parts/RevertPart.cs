using System.Diagnostics;
using Coppice.Bench.Guests;
using Coppice.Bench.Host;
using Coppice.Bench.Results;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Bench.Parts;

/// <summary>One way back to a snapshot with memory.</summary>
/// <param name="Subject">How the tables name it.</param>
/// <param name="Guest">The guest, which others may share.</param>
/// <param name="Rounds">How often, for each condition.</param>
/// <param name="PrepareAsync">What is done beforehand, outside the measurement; null for nothing.</param>
/// <param name="RevertAsync">Reverts.</param>
internal sealed record Way(string Subject, Guest Guest, int Rounds, Func<Task>? PrepareAsync, Func<Task<Back>> RevertAsync);

/// <summary>What a revert said of itself.</summary>
/// <param name="Running">How long after the request the guest ran, if it says.</param>
/// <param name="Parts">How long its parts took, if it says.</param>
internal sealed record Back(TimeSpan? Running, IReadOnlyList<(string Part, TimeSpan Elapsed)> Parts);

/// <summary>How long it takes from the request until the guest is where it was, and runs.</summary>
internal sealed class RevertPart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "revert", Warm = "caches warm", Cold = "caches dropped";
    public const string Running = "runs", Done = "done", Answers = "answers", Touched = "256 MB written";
    public const string Coppice = "coppice, XFS", Spare = "coppice, XFS, spare", Virsh = "virsh, internal snapshot";

    private const string Snapshot = "here";
    private const long TouchedBytes = 256_000_000;

    // The guest catches up with a tenth of a second at once, and answers only then: this is as fast as can be told apart.
    private const long TouchRate = 1_000_000_000;

    public async Task RunAsync()
    {
        foreach (var size in settings.Guests)
        {
            await CompareAsync(size);
        }
    }

    private async Task CompareAsync(GuestSize size)
    {
        Progress.Say($"revert, {size}: booting");
        await using var ours = await CoppiceGuest.BootAsync(settings, MemoryPlace.Xfs, size, 2 * size.RamBytes, cancellation);
        await ours.CheckpointAsync(Snapshot, cancellation);
        await ours.SuspendAsync(cancellation);
        await using var theirs = await LibvirtGuest.BootAsync(settings, "inner", size, isInternal: true, cancellation);
        await theirs.SaveInsideAsync(Snapshot, cancellation);
        await theirs.SuspendAsync(cancellation);

        Way[] ways =
        [
            new(Coppice, ours, settings.Rounds(10), () => WarmAsync(ours, 0), () => RevertAsync(ours)),
            new(Spare, ours, settings.Rounds(10), () => WarmAsync(ours, 1), () => RevertAsync(ours)),
            new(Virsh, theirs, settings.Rounds(size == GuestSize.Large ? 3 : 5), null, async () =>
            {
                await theirs.RevertAsync(Snapshot, cancellation);
                return new Back(null, []);
            }),
        ];
        foreach (var condition in (string[])[Warm, Cold])
        {
            Progress.Say($"revert, {size}, {condition}");
            var most = condition == Warm ? ways.Max(w => w.Rounds) : settings.Rounds(5);
            for (var round = 0; round <= most; round++)
            {
                foreach (var way in ways.Where(w => round <= w.Rounds))
                {
                    await TakeAsync(way, size, condition, round > 0);
                }

                Progress.Dot();
            }
        }
    }

    private async Task TakeAsync(Way way, GuestSize size, string condition, bool isCounted)
    {
        await way.Guest.ResumeAsync(cancellation);
        await (way.PrepareAsync?.Invoke() ?? Task.CompletedTask);
        if (condition == Cold)
        {
            await PageCache.DropAsync(cancellation);
        }

        var start = Stopwatch.GetTimestamp();
        var back = await way.RevertAsync();
        var done = Stopwatch.GetElapsedTime(start);
        var (answers, touched) = await HearAsync(way.Guest, condition == Cold, start);
        await way.Guest.SuspendAsync(cancellation);
        if (!isCounted)
        {
            return;
        }

        Add(Running, back.Running);
        Add(Done, done);
        Add(Answers, answers);
        Add(Touched, touched);
        foreach (var (part, elapsed) in back.Parts)
        {
            Add(part, elapsed);
        }

        void Add(string measure, TimeSpan? value)
        {
            if (value is { } taken)
            {
                recorder.Add(way.Subject, $"{size}", condition, measure, taken);
            }
        }
    }

    /// <summary>So many processes wait for the next revert.</summary>
    private Task<OperationResult> WarmAsync(CoppiceGuest guest, int count) =>
        guest.Home.RunAsync(new WarmSnapshot(CoppiceGuest.Name, Snapshot, count), new RunOptions(), cancellation);

    /// <summary>When the guest answers; and has written to much of its RAM, as fast as it can.</summary>
    private async Task<(TimeSpan Answers, TimeSpan? Touched)> HearAsync(Guest guest, bool isTouched, long start)
    {
        using var witness = await guest.ConnectBareAsync(cancellation);
        var end = await witness.DirtiedAsync(cancellation) + TouchedBytes;
        var answers = Stopwatch.GetElapsedTime(start);
        if (!isTouched)
        {
            return (answers, null);
        }

        await witness.DirtyAsync(TouchRate, cancellation);
        while (await witness.DirtiedAsync(cancellation) < end)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), cancellation);
        }

        var touched = Stopwatch.GetElapsedTime(start);
        await witness.DirtyAsync(0, cancellation);
        return (answers, touched);
    }

    /// <summary>The guest runs before the request is done: the catalog is written, and the old process goes, after that.</summary>
    private async Task<Back> RevertAsync(CoppiceGuest guest)
    {
        TimeSpan? began = null;
        var start = Stopwatch.GetTimestamp();
        var result = await guest.Home.RunAsync(
            new RevertSnapshot(CoppiceGuest.Name, Snapshot, RevertState.AsTaken, DiscardCurrent: true, Force: false),
            new RunOptions
            {
                OnEvent = passed => began ??= passed.Point is OperationPoint.StepIntended ? Stopwatch.GetElapsedTime(start) : null,
            },
            cancellation);
        var letGo = result.Steps.LastOrDefault(s => s.Report.WentOnAfter is not null);
        return new Back(
            began - result.Steps[0].Began + letGo?.Began + letGo?.Report.WentOnAfter, [.. Checkpoints.Parts(result)]);
    }
}
