using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

/// <summary>What guests do by themselves, and what they are told of their disks, as whoever watches hears it.</summary>
public class QemuEventTests
{
    private const string Reset = "o /b 0x64 0xfe", PowerOff = "o /w 0x604 0x2000";

    protected virtual string Qemu => QemuPrograms.Usual;

    [Fact]
    public async Task What_the_guest_did_is_told_from_what_was_done_to_it()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        bed.Definition = bed.Definition with { Features = MachineFeatures.Acpi };
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(process);
        await using var events = Watch(bed, process);
        Assert.Equal(GuestEventKind.Began, (await NextAsync(events)).Kind);
        await SayAsync(bed, process, Reset);
        Assert.Equal(new GuestEvent(GuestEventKind.Reset) { ByGuest = true }, await NextAsync(events));
        await bed.CountingAsync(process);
        await SayAsync(bed, process, PowerOff);
        for (var told = await NextAsync(events); told.Kind is not GuestEventKind.PoweredOff; told = await NextAsync(events))
        {
            // Firmware resets the machine once more on its way.
            Assert.Equal(GuestEventKind.Reset, told.Kind);
        }

        Assert.True(events.Current.ByGuest);
        Assert.False(await events.MoveNextAsync());
        Assert.False((await bed.ObserveAsync(process)).IsAlive);
    }

    [Fact]
    public async Task Nothing_is_kept_for_later_while_nobody_watches()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(process);
        await using (var events = Watch(bed, process))
        {
            await NextAsync(events);
        }

        await using var machine = await Machine.ConnectAsync(RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation);
        for (var round = 0; round < 1000; round++)
        {
            await machine!.Qmp.ExecuteAsync("stop", null, QemuBed.Cancellation);
            await machine.Qmp.ExecuteAsync("cont", null, QemuBed.Cancellation);
        }

        await using var later = Watch(bed, process);
        await NextAsync(later);
        await machine!.Qmp.ExecuteAsync("system_reset", null, QemuBed.Cancellation);
        Assert.Equal(GuestEventKind.Reset, (await NextAsync(later)).Kind);
    }

    [Fact]
    public async Task A_process_of_an_earlier_build_tells_nothing()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        File.Delete(RunFolder.Of(bed.Home, process).Events);
        await using var events = Watch(bed, process);
        Assert.False(await events.MoveNextAsync());
        Assert.True((await bed.ObserveAsync(process)).IsAlive);
    }

    private static IAsyncEnumerator<GuestEvent> Watch(QemuBed bed, ShortId process) =>
        bed.Hypervisor.WatchAsync(bed.Folder, process, QemuBed.Cancellation).GetAsyncEnumerator(QemuBed.Cancellation);

    private static async Task<GuestEvent> NextAsync(IAsyncEnumerator<GuestEvent> events)
    {
        Assert.True(await events.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), QemuBed.Cancellation));
        return events.Current;
    }

    private static async Task SayAsync(QemuBed bed, ShortId process, string line)
    {
        await using var machine = await Machine.ConnectAsync(RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation);
        await machine!.Qmp.ExecuteAsync("human-monitor-command", new JsonObject { ["command-line"] = line }, QemuBed.Cancellation);
    }
}

/// <summary>The same on QEMU 10.0.</summary>
public sealed class BackportsEventTests : QemuEventTests
{
    protected override string Qemu => QemuPrograms.Backports;
}
