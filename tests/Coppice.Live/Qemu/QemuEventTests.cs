using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Live.Cli;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

/// <summary>What guests do by themselves, and what they are told of their disks, as whoever watches hears it.</summary>
public class QemuEventTests
{
    // xor ax,ax; mov ds,ax; again: mov si,0x7c12; mov ax,0x4300; mov dl,0x80; int 0x13; jmp again: writes sector 64, for ever.
    private static readonly byte[] s_writingCode =
    [
        0x31, 0xC0, 0x8E, 0xD8, 0xBE, 0x12, 0x7C, 0xB8, 0, 0x43, 0xB2, 0x80, 0xCD, 0x13, 0xEB, 0xF4, 0, 0,
        0x10, 0, 1, 0, 0, 0, 0, 9, 64, 0, 0, 0, 0, 0, 0, 0,
    ];

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
    public async Task A_disk_for_which_there_is_no_room_is_named_before_the_guest_stands_still()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        await using var small = await SmallDisk.MountAsync($"{bed.Home.Path}/small", "1M");
        Assert.SkipWhen(small is null, "only root mounts a small disk");
        await using (var image = File.OpenWrite(bed.Base.Path))
        {
            await image.WriteAsync(s_writingCode, QemuBed.Cancellation);
        }

        var overlay = bed.NewOverlay(bed.Base);
        var moved = overlay with { Path = $"{bed.Home.Path}/small/overlay.img" };
        File.Move(overlay.Path, moved.Path);
        Fill($"{bed.Home.Path}/small/rest");
        var process = await bed.StartAsync([moved, bed.Base], MemoryImage.None, run: false);
        await using (var events = Watch(bed, process))
        {
            await NextAsync(events);
            await bed.Hypervisor.ApplyAsync(bed.Hypervisor.Signal(process, DomainSignal.Resume), bed.Context(), QemuBed.Cancellation);
            Assert.Equal(GuestEventKind.Resumed, (await NextAsync(events)).Kind);
            var failure = new DiskFailure("vda", IsWrite: true, FailureAction.Stopped, IsNoSpace: true);
            Assert.Equal(new GuestEvent(GuestEventKind.DiskFailed) { Failure = failure }, await NextAsync(events));
            Assert.Equal(GuestEventKind.Stopped, (await NextAsync(events)).Kind);
        }

        Assert.Equal(DomainState.IoError, (await bed.ObserveAsync(process)).State);
        await bed.Hypervisor.ApplyAsync(bed.Hypervisor.End(process), bed.Context(), QemuBed.Cancellation);
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

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        try
        {
            while (true)
            {
                file.Write(new byte[4096]);
            }
        }
        catch (IOException)
        {
            // Nothing is left.
        }
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
