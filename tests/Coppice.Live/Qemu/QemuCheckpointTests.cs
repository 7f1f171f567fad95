using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

public class QemuCheckpointTests
{
    /// <summary>The program that is tested.</summary>
    protected virtual string Qemu => QemuPrograms.Usual;

    [Fact]
    public async Task A_checkpoint_keeps_memory_and_moves_the_disk_and_can_be_loaded()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        var before = await bed.CountingAsync(process);
        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(bed.Base));
        var step = Checkpoint(bed, process, DomainState.Running, memory, overlay);
        Assert.Equal(StepOutcome.NotDone, await bed.Hypervisor.ProbeAsync(step, bed.Context(), QemuBed.Cancellation));
        var report = await bed.Hypervisor.ApplyAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.Equal(["stop", "transaction", "migrate", "cont"], report.Timings.Select(t => t.Name));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(memory.File!));
        Assert.Equal(StepOutcome.Done, await bed.Hypervisor.ProbeAsync(step, bed.Context(), QemuBed.Cancellation));
        var after = await bed.ObserveAsync(process);
        Assert.Equal((DomainState.Running, overlay.Path), (after.State, after.ActiveImages["vda"]));
        var later = await bed.CountingAsync(process);

        var reverted = await bed.StartAsync([bed.NewOverlay(bed.Base), bed.Base], memory, run: false);
        Assert.InRange(await bed.CounterAsync(reverted), before, later - 1);
        Assert.Equal(DomainState.Paused, (await bed.ObserveAsync(reverted)).State);
        TestContext.Current.SendDiagnosticMessage("pause {0}: {1}", report.Pause, string.Join(", ", report.Timings));
    }

    [Fact]
    public async Task Ten_checkpoints_in_a_row()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(process);
        var top = bed.Base;
        for (var i = 0; i < 10; i++)
        {
            var overlay = bed.NewOverlay(top);
            var request = new CheckpointRequest(
                process, DomainState.Running, bed.NewMemory(), [new("vda", top, overlay)], default);
            var report = await bed.Hypervisor.ApplyAsync(bed.Hypervisor.Checkpoint(request), bed.Context(), QemuBed.Cancellation);
            Assert.NotNull(report.Pause);
            TestContext.Current.SendDiagnosticMessage("pause {0}: {1}", report.Pause, string.Join(", ", report.Timings));
            top = overlay;
        }

        Assert.Equal(top.Path, (await bed.ObserveAsync(process)).ActiveImages["vda"]);
        await bed.CountingAsync(process);
    }

    [Fact]
    public async Task A_paused_guest_stays_paused_through_two_checkpoints()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None, run: false);
        var (first, second) = (bed.NewOverlay(bed.Base), default(Layer));
        await bed.Hypervisor.ApplyAsync(
            Checkpoint(bed, process, DomainState.Paused, bed.NewMemory(), first), bed.Context(), QemuBed.Cancellation);
        Assert.Equal(DomainState.Paused, (await bed.ObserveAsync(process)).State);
        second = bed.NewOverlay(first);
        var again = new CheckpointRequest(process, DomainState.Paused, bed.NewMemory(), [new("vda", first, second)], default);
        var report = await bed.Hypervisor.ApplyAsync(bed.Hypervisor.Checkpoint(again), bed.Context(), QemuBed.Cancellation);
        Assert.Null(report.Pause);
        var after = await bed.ObserveAsync(process);
        Assert.Equal((DomainState.Paused, second.Path), (after.State, after.ActiveImages["vda"]));
    }

    [Fact]
    public async Task A_standing_guest_is_saved_again_and_again()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(process);
        await using (var machine = await Machine.ConnectAsync(
            RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation))
        {
            await machine!.StopAsync(QemuBed.Cancellation);
            var file = $"{bed.Home.Path}/memory";
            for (var i = 0; i < 30; i++)
            {
                using var memory = File.OpenHandle(file, FileMode.Create, FileAccess.Write);
                await machine.PrepareMigrationAsync(memory, withRam: true, QemuBed.Cancellation);
                Assert.Equal(i > 0, await machine.ReawakenAsync(QemuBed.Cancellation));
                await machine.SaveMemoryAsync(new Progress<StepProgress>(), QemuBed.Cancellation);
                Assert.NotEqual(0, new FileInfo(file).Length);
            }

            await machine.ResumeAsync();
        }

        await bed.CountingAsync(process);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_file_in_the_place_of_the_memory_is_refused_and_stays(bool leaves)
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        var file = Path.Combine(bed.Home.Path, "precious.bin");
        await File.WriteAllTextAsync(file, "precious", QemuBed.Cancellation);
        var memory = new MemoryImage { Mode = MemoryMode.External, File = file };
        var step = leaves
            ? bed.Hypervisor.Leave(new LeaveRequest(process, DomainState.Running, memory, null, false, default))
            : Checkpoint(bed, process, DomainState.Running, memory, bed.NewOverlay(bed.Base));
        var error = await Assert.ThrowsAsync<CoppiceException>(
            () => bed.Hypervisor.ApplyAsync(step, bed.Context(), QemuBed.Cancellation));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        await bed.Hypervisor.UndoAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.Equal("precious", await File.ReadAllTextAsync(file, QemuBed.Cancellation));

        File.Delete(file);
        await bed.Hypervisor.ApplyAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.True(File.Exists(file));
        await bed.Hypervisor.UndoAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.Empty(Directory.GetFiles(bed.Home.Path, "precious*"));
        await File.WriteAllTextAsync(file, "precious", QemuBed.Cancellation);
        await bed.Hypervisor.UndoAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.Equal("precious", await File.ReadAllTextAsync(file, QemuBed.Cancellation));
        Assert.Equal(DomainState.Running, (await bed.ObserveAsync(process)).State);
    }

    [Fact]
    public async Task Undoing_before_the_disks_moved_lets_the_step_be_repeated()
    {
        await using var bed = new QemuBed(qemu: Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(bed.Base));
        var step = Checkpoint(bed, process, DomainState.Running, memory, overlay);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => bed.Hypervisor.ApplyAsync(step, bed.Context(), cancelled.Token));
        await bed.Hypervisor.UndoAsync(step, bed.Context(), QemuBed.Cancellation);
        await bed.Hypervisor.UndoAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.False(File.Exists(memory.File));
        await bed.Hypervisor.ApplyAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.True(File.Exists(memory.File));
        Assert.Equal(DomainState.Running, (await bed.ObserveAsync(process)).State);
    }

    [Fact]
    public async Task Cancelling_while_the_memory_is_written_lets_the_guest_go_on()
    {
        await using var bed = new QemuBed(512 << 20, Qemu);
        var process = await bed.StartAsync([bed.Base], MemoryImage.None);
        await bed.CountingAsync(process);
        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(bed.Base));
        var step = Checkpoint(bed, process, DomainState.Running, memory, overlay);
        using var cancelling = new CancellationTokenSource();
        var applying = bed.Hypervisor.ApplyAsync(step, bed.Context(), cancelling.Token);
        while (!applying.IsCompleted && (await bed.ObserveAsync(process)).State is DomainState.Running)
        {
        }

        await cancelling.CancelAsync();
        try
        {
            await applying;
        }
        catch (OperationCanceledException)
        {
        }

        await bed.Hypervisor.UndoAsync(step, bed.Context(), QemuBed.Cancellation);
        Assert.Equal(DomainState.Running, (await bed.ObserveAsync(process)).State);
        Assert.False(File.Exists(memory.File));
        await bed.CountingAsync(process);
    }

    private static Step Checkpoint(QemuBed bed, ShortId process, DomainState state, MemoryImage memory, Layer overlay) =>
        bed.Hypervisor.Checkpoint(new CheckpointRequest(process, state, memory, [new("vda", bed.Base, overlay)], default));
}
