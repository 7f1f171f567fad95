using Coppice.Bench.Guests;
using Coppice.Bench.Host;
using Coppice.Bench.Results;

namespace Coppice.Bench.Parts;

/// <summary>What is written to disks: by a checkpoint, and by a guest that writes to RAM which is a file.</summary>
internal sealed class BytesPart(Settings settings, Recorder recorder, CancellationToken cancellation)
{
    public const string Name = "bytes", Checkpoint = "a checkpoint", Minute = "a minute of dirtying";
    public const string Disk = "to the disk", Volume = "to the memory volume", Dirtied = "dirtied";

    private const long DirtyRate = 65_000_000, DirtySet = 200_000_000;

    private GuestSize Size => settings.IsQuick ? GuestSize.Small : GuestSize.Middle;

    public async Task RunAsync()
    {
        foreach (var place in Enum.GetValues<MemoryPlace>())
        {
            await MeasureAsync(place);
        }
    }

    private async Task MeasureAsync(MemoryPlace place)
    {
        var subject = BenchHome.Subject(place);
        Progress.Say($"bytes, {subject}: booting");
        await using var guest = await CoppiceGuest.BootAsync(settings, place, Size, Size.RamBytes, cancellation);
        var disk = await BlockDevice.OfAsync(settings.Work, cancellation);
        var volume = place is MemoryPlace.None ? null : await BlockDevice.OfAsync(guest.VolumePath, cancellation);
        for (var round = 0; round <= settings.Rounds(3); round++)
        {
            var written = await CountAsync(disk, volume, () => guest.CheckpointAsync($"s{round}", cancellation), isSynced: true);
            if (round > 0)
            {
                Add(subject, Checkpoint, written);
            }

            Progress.Dot();
        }

        // The kernel writes a page once it has been dirty for half a minute: what goes on begins only then.
        await guest.Witness.DirtyAsync(DirtyRate, DirtySet, cancellation);
        await Task.Delay(TimeSpan.FromSeconds(settings.IsQuick ? 10 : 35), cancellation);
        var time = TimeSpan.FromSeconds(settings.IsQuick ? 20 : 60);
        var before = (await guest.Witness.StatusAsync(cancellation)).DirtiedBytes;
        var during = await CountAsync(disk, volume, () => Task.Delay(time, cancellation), isSynced: false);
        var dirtied = (await guest.Witness.StatusAsync(cancellation)).DirtiedBytes - before;
        Add(subject, Minute, (PerMinute(during.Disk), PerMinute(during.Volume)));
        recorder.Add(subject, $"{Size}", Minute, Dirtied, Recorder.Bytes, PerMinute(dirtied));

        long PerMinute(long bytes) => (long)(bytes / time.TotalMinutes);
    }

    private void Add(string subject, string condition, (long Disk, long Volume) written)
    {
        recorder.Add(subject, $"{Size}", condition, Disk, Recorder.Bytes, written.Disk);
        recorder.Add(subject, $"{Size}", condition, Volume, Recorder.Bytes, written.Volume);
    }

    /// <param name="disk">The disk that all is on in the end.</param>
    /// <param name="volume">The loop device of the memory volume.</param>
    /// <param name="what">What may write to them.</param>
    /// <param name="isSynced">All that was to be written before is, and all that it left to be written counts too.</param>
    private async Task<(long Disk, long Volume)> CountAsync(BlockDevice? disk, BlockDevice? volume, Func<Task> what, bool isSynced)
    {
        await SyncAsync();
        var before = (disk?.WrittenBytes ?? 0, volume?.WrittenBytes ?? 0);
        await what();
        await SyncAsync();
        return ((disk?.WrittenBytes ?? 0) - before.Item1, (volume?.WrittenBytes ?? 0) - before.Item2);

        Task SyncAsync() => isSynced ? HostCommand.RunAsync("sync", [], cancellation) : Task.CompletedTask;
    }
}
