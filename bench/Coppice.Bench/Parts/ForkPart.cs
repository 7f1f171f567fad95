using System.Diagnostics;
using Coppice.Bench.Guests;
using Coppice.Bench.Host;
using Coppice.Bench.Results;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Bench.Parts;

/// <summary>Many guests that go on from one instant: how long until all run, and what memory each takes.</summary>
internal sealed class ForkPart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "fork", Library = "library", Command = "command";
    public const string Total = "all run", Fresh = "as they begin", Worked = "each has written 256 MB or a little more";
    public const string Proportional = "PSS", Anonymous = "anonymous", Cached = "RAM file in the page cache";

    private const string Snapshot = "here", Prefix = "f";
    private const int Most = 10;

    // Not faster, so that it can be told to stop in time.
    private const long WorkBytes = 256_000_000, WorkRate = 200_000_000;
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private GuestSize Size => settings.IsQuick ? GuestSize.Small : GuestSize.Middle;

    public async Task RunAsync()
    {
        Progress.Say($"fork, {Size}: booting");

        // Room is promised for all RAM of each.
        await using var guest = await CoppiceGuest.BootAsync(settings, MemoryPlace.Xfs, Size, Most * Size.RamBytes, cancellation);
        await guest.CheckpointAsync(Snapshot, cancellation);
        await guest.SuspendAsync(cancellation);
        foreach (var count in (int[])[1, Most])
        {
            Progress.Say($"fork, {count} of {Size}");
            for (var round = 0; round <= settings.Rounds(5); round++)
            {
                await TakeAsync(guest, count, Library, round > 0, () => ByLibraryAsync(guest, count));
                await TakeAsync(guest, count, Command, round > 0, () => ByCommandAsync(guest, count));
                Progress.Dot();
            }
        }

        await MeasureMemoryAsync(guest);
    }

    private async Task TakeAsync(CoppiceGuest guest, int count, string subject, bool isCounted, Func<Task<TimeSpan>> forkAsync)
    {
        var elapsed = await forkAsync();
        await RemoveAsync(guest, count);
        if (isCounted)
        {
            recorder.Add(subject, $"{Size}", $"{count}", Total, elapsed);
        }
    }

    private async Task<TimeSpan> ByLibraryAsync(CoppiceGuest guest, int count)
    {
        var names = Names(count);
        var start = Stopwatch.GetTimestamp();
        var outcomes = await guest.Home.ForkAsync(
            names.Select((name, i) => new ForkSnapshot(CoppiceGuest.Name, Snapshot, name)
            {
                State = ForkState.Running,
                Following = [.. names.Skip(i + 1)],
            }),
            new RunOptions(),
            cancellation);
        var elapsed = Stopwatch.GetElapsedTime(start);
        return outcomes.FirstOrDefault(o => o.Error is not null)?.Error is { } error ? throw error : elapsed;
    }

    private async Task<TimeSpan> ByCommandAsync(CoppiceGuest guest, int count) =>
        (await HostCommand.RunAsync(
            settings.Command,
            [
                "--home", guest.HomePath, "snapshot", "fork", CoppiceGuest.Name, Snapshot, Prefix, "--start",
                .. count == 1 ? Array.Empty<string>() : ["--count", $"{count}"],
            ],
            cancellation)).Elapsed;

    private async Task MeasureMemoryAsync(CoppiceGuest guest)
    {
        Progress.Say($"fork, memory of {Most} of {Size}");
        await ByLibraryAsync(guest, Most);
        await Task.Delay(TimeSpan.FromSeconds(2), cancellation);
        await AddMemoryAsync(guest, Fresh);
        foreach (var name in Names(Most))
        {
            await WorkAsync(guest, name);
            Progress.Dot();
        }

        await AddMemoryAsync(guest, Worked);
        await RemoveAsync(guest, Most);
        recorder.Note(
            "Forks have no control groups of their own here. What one would be charged for is what is anonymous, and the RAM file as far "
            + "as that is in the page cache (mincore); what the kernel itself needs for it is not seen.");
    }

    private async Task WorkAsync(CoppiceGuest guest, string name)
    {
        await using var witness = await WitnessClient.ConnectAsync(
            await guest.FindWitnessAsync(name, cancellation), s_patience, TimeProvider.System, cancellation);
        var end = (await witness.StatusAsync(cancellation)).DirtiedBytes + WorkBytes;
        await witness.DirtyAsync(WorkRate, 0, cancellation);
        while ((await witness.StatusAsync(cancellation)).DirtiedBytes < end)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), cancellation);
        }

        await witness.DirtyAsync(0, 0, cancellation);
    }

    private async Task AddMemoryAsync(CoppiceGuest guest, string condition)
    {
        foreach (var name in Names(Most))
        {
            var view = await guest.Home.ShowAsync(name, cancellation);
            var process = view.Catalog.Head.Process!.Value;
            var memory = ProcessMemory.Of(FindQemu(guest, view.Folder.Home.Process(process)));
            var cached = PageCache.BytesOf(view.Folder.Ram(process));
            foreach (var (measure, bytes) in ((string, long)[])
                [(Proportional, memory.Proportional), (Anonymous, memory.Anonymous), (Cached, cached)])
            {
                recorder.Add(Library, $"{Size}", condition, measure, Recorder.Bytes, bytes);
            }
        }
    }

    /// <summary>QEMU runs in its run folder.</summary>
    private static int FindQemu(CoppiceGuest guest, string folder) => LiveDomain.Processes(guest.HomePath).First(id =>
        Directory.ResolveLinkTarget($"/proc/{id}/cwd", returnFinalTarget: false)?.FullName == folder
        && File.ReadAllText($"/proc/{id}/comm").StartsWith("qemu", StringComparison.Ordinal));

    private async Task RemoveAsync(CoppiceGuest guest, int count)
    {
        foreach (var name in Names(count))
        {
            await guest.RunAsync(new KillDomain(name), cancellation);
            await guest.RunAsync(new UndefineDomain(name, Snapshots: true), cancellation);
        }
    }

    /// <summary>As the command names them.</summary>
    private static string[] Names(int count) => count == 1 ? [Prefix] : [.. Enumerable.Range(1, count).Select(i => $"{Prefix}-{i}")];
}
