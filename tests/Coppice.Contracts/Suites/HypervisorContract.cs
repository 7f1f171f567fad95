using System.Collections.Immutable;
using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps, the fake included: otherwise what is tested on the fake says nothing.</summary>
public abstract partial class HypervisorContract
{
    protected abstract IHypervisorBed Open();

    [Fact]
    public async Task A_process_stands_still_until_it_takes_over()
    {
        await using var bed = Open();
        var process = await LaunchAsync(bed, MemoryImage.None, bed.Base);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        Assert.False(string.IsNullOrEmpty((await ObserveAsync(bed, process)).Version));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        Assert.Equal(DomainState.Running, (await ObserveAsync(bed, process)).State);
    }

    [Fact]
    public async Task A_process_is_known_with_its_domain_until_it_is_ended_also_once_it_has_died()
    {
        await using var bed = Open();
        var process = await LaunchAsync(bed, MemoryImage.None, bed.Base);
        var known = Assert.Single(bed.Hypervisor.Processes(bed.Folder.Home));
        Assert.Equal(new ProcessObservation(process, Path.GetFileName(bed.Folder.Path), IsAlive: true, HasEnded: false), known);
        await bed.KillAsync(process);
        Assert.Equal(known with { IsAlive = false, HasEnded = true }, Assert.Single(bed.Hypervisor.Processes(bed.Folder.Home)));
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        Assert.Empty(bed.Hypervisor.Processes(bed.Folder.Home));
    }

    [Fact]
    public async Task A_take_over_that_is_repeated_leaves_a_guest_alone_that_was_paused_meanwhile()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var report = await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        Assert.Null(report.WentOnAfter);
    }

    [Theory]
    [InlineData(DomainState.Running, true, true)]
    [InlineData(DomainState.Running, false, false)]
    [InlineData(DomainState.Paused, true, false)]
    public async Task The_pause_from_one_process_to_the_next_is_told_if_the_guest_ran_before_and_runs_again(
        DomainState before, bool runs, bool isTold)
    {
        await using var bed = Open();
        var old = await StartAsync(bed);
        if (before is DomainState.Paused)
        {
            await ApplyAsync(bed, bed.Hypervisor.Signal(old, DomainSignal.Pause));
        }

        var successor = bed.NewProcess();
        var leave = bed.Hypervisor.Leave(new LeaveRequest(old, before, bed.NewMemory(), successor, runs, default));
        var left = await ApplyAsync(bed, leave);
        await ApplyAsync(bed, bed.Hypervisor.End(old));
        await ApplyAsync(bed, Launch(bed, successor, MemoryImage.None, bed.Base));
        var followed = await ApplyAsync(bed, bed.Hypervisor.TakeOver(successor, bed.Definition, runs));
        Assert.Equal(isTold, left.StandingAtEnd > TimeSpan.Zero);
        Assert.Equal(runs, followed.WentOnAfter is not null);
        Assert.Null(left.Pause);
    }

    [Fact]
    public async Task A_checkpoint_keeps_the_memory_moves_the_disk_and_lets_the_guest_go_on()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(bed.Base));
        var step = Checkpoint(bed, process, DomainState.Running, memory, overlay);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, step));
        var before = await bed.CounterAsync(process);
        var report = await ApplyAsync(bed, step);
        Assert.NotNull(report.Pause);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        var after = await CountingAsync(bed, process);
        Assert.Equal(overlay.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);

        var loaded = await LaunchAsync(bed, memory, bed.NewOverlay(bed.Base), bed.Base);
        Assert.InRange(await bed.CounterAsync(loaded), before, after);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, loaded)).State);
    }

    [Fact]
    public async Task A_guest_that_runs_on_while_its_memory_is_written_is_kept_as_it_was_in_the_instant_of_its_disks()
    {
        await using var bed = Open();
        var runsOn = (await bed.Hypervisor.CapabilitiesAsync(default)).Items.Contains(Capability.LiveMemory);
        Assert.SkipUnless(runsOn, "QEMU may not watch the pages of its guests here (userfaultfd)");
        var process = await StartAsync(bed);
        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(bed.Base));
        var request = new CheckpointRequest(process, DomainState.Running, memory, [new DiskSwitch("vda", bed.Base, overlay)], default) { RunsOn = true };
        var before = await bed.CounterAsync(process);
        Assert.NotNull((await ApplyAsync(bed, bed.Hypervisor.Checkpoint(request))).Pause);
        var after = await CountingAsync(bed, process);
        var loaded = await LaunchAsync(bed, memory, bed.NewOverlay(bed.Base), bed.Base);
        Assert.InRange(await bed.CounterAsync(loaded), before, after);

        // And once more, with what is left of the first.
        var (again, top) = (bed.NewMemory(), bed.NewOverlay(overlay));
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(request with { Memory = again, Disks = [new DiskSwitch("vda", overlay, top)] }));
        Assert.Equal(top.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
    }

    [Fact]
    public async Task What_a_disk_writes_is_told_whatever_layer_was_expected()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var overlay = bed.NewOverlay(bed.Base);
        await ApplyAsync(bed, Checkpoint(bed, process, DomainState.Running, bed.NewMemory(), overlay));
        foreach (var expected in new ImmutableArray<Layer>[] { [], [overlay], [bed.Base] })
        {
            var seen = await bed.Hypervisor.ObserveAsync(bed.Folder, process, bed.Definition, expected, default);
            Assert.Equal(overlay.Path, seen.ActiveImages["vda"]);
        }
    }

    [Fact]
    public async Task Undoing_a_checkpoint_removes_the_memory_and_leaves_the_disk_where_the_guest_writes()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(bed.Base));
        var step = Checkpoint(bed, process, DomainState.Running, memory, overlay);
        await ApplyAsync(bed, step);
        await UndoTwiceAsync(bed, step);
        Assert.False(bed.Exists(memory));
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        Assert.Equal(overlay.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task Undoing_what_was_never_done_does_nothing()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var checkpoint = Checkpoint(bed, process, DomainState.Running, bed.NewMemory(), bed.NewOverlay(bed.Base));
        await UndoTwiceAsync(bed, checkpoint);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, checkpoint));
        await UndoTwiceAsync(bed, Launch(bed, bed.NewProcess(), MemoryImage.None, bed.Base));
        await UndoTwiceAsync(bed, Leave(process, bed.NewMemory(), bed));
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_guest_that_was_left_goes_on_as_soon_as_nothing_more_is_done_for_the_operation()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var leave = Leave(process, bed.NewMemory(), bed);
        await ApplyAsync(bed, leave);
        bed.Hypervisor.LetGo(Context(bed).Operation);
        bed.Hypervisor.LetGo(Context(bed).Operation);
        await CountingAsync(bed, process);
        await UndoTwiceAsync(bed, leave);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_paused_guest_stays_paused_through_a_checkpoint()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var counter = await bed.CounterAsync(process);
        await ApplyAsync(bed, Checkpoint(bed, process, DomainState.Paused, bed.NewMemory(), bed.NewOverlay(bed.Base)));
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        Assert.Equal(counter, await bed.CounterAsync(process));
    }

    [Fact]
    public async Task A_process_that_died_counts_as_moved_and_undoing_finds_nothing_to_do()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var step = Checkpoint(bed, process, DomainState.Running, bed.NewMemory(), bed.NewOverlay(bed.Base));
        Assert.False(bed.Hypervisor.HasEnded(bed.Folder, process));
        await bed.KillAsync(process);
        Assert.False((await ObserveAsync(bed, process)).IsAlive);
        Assert.True(bed.Hypervisor.HasEnded(bed.Folder, process));
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(ErrorKind.Hypervisor, error.Kind);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        await UndoTwiceAsync(bed, step);
        await UndoTwiceAsync(bed, Leave(process, bed.NewMemory(), bed));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
    }

    [Fact]
    public async Task Leaving_a_process_is_taken_back_wholly()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var memory = bed.NewMemory();
        var step = Leave(process, memory, bed);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, step));
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        Assert.True(bed.Exists(memory));
        Assert.Equal(await bed.CounterAsync(process), await bed.CounterAsync(process));
        await UndoTwiceAsync(bed, step);
        Assert.False(bed.Exists(memory));
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task An_ended_process_is_off_and_can_be_ended_again()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        Assert.Equal(DomainState.Off, (await ObserveAsync(bed, process)).State);
        Assert.Equal(DomainState.Off, (await bed.Hypervisor.ObserveAsync(bed.Folder, null, bed.Definition, [], default)).State);
    }

    [Fact]
    public async Task Undoing_a_launch_ends_the_process()
    {
        await using var bed = Open();
        var process = bed.NewProcess();
        var step = Launch(bed, process, MemoryImage.None, bed.Base);
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        await UndoTwiceAsync(bed, step);
        Assert.False((await ObserveAsync(bed, process)).IsAlive);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, step));
    }

    [Fact]
    public async Task Pause_and_resume_undo_each_other()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var pause = bed.Hypervisor.Signal(process, DomainSignal.Pause);
        await ApplyAsync(bed, pause);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        await UndoTwiceAsync(bed, pause);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_disk_grows_while_its_guest_runs_and_also_when_it_was_saved_and_stands_still()
    {
        await using var bed = Open();
        var process = await StartAsync(bed);
        var step = bed.Hypervisor.Resize(process, bed.Base, new ByteCount(2 << 20));
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, step));
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        await CountingAsync(bed, process);

        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var overlay = bed.NewOverlay(bed.Base);
        await ApplyAsync(bed, Checkpoint(bed, process, DomainState.Paused, bed.NewMemory(), overlay));
        step = bed.Hypervisor.Resize(process, overlay, new ByteCount(4 << 20));
        await ApplyAsync(bed, step);
        await ApplyAsync(bed, bed.Hypervisor.Resize(process, overlay, new ByteCount(1 << 20)));
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);

        await ApplyAsync(bed, bed.Hypervisor.End(process));
        step = bed.Hypervisor.Resize(process, overlay, new ByteCount(8 << 20));
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, step));
    }

    [Fact]
    public async Task An_image_that_a_process_writes_is_refused_to_another()
    {
        await using var bed = Open();
        await StartAsync(bed);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => LaunchAsync(bed, MemoryImage.None, bed.Base));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
    }

    [Fact]
    public async Task A_memory_image_that_is_missing_is_refused()
    {
        await using var bed = Open();
        var step = Launch(bed, bed.NewProcess(), bed.NewMemory(), bed.Base);
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        await UndoTwiceAsync(bed, step);
    }

    private static StepContext Context(IHypervisorBed bed) => new(bed.Folder, new ShortId("0badcafe"), new Progress<StepProgress>());

    private static Task<StepReport> ApplyAsync(IHypervisorBed bed, Step step) => bed.Hypervisor.ApplyAsync(step, Context(bed), default);

    private static Task<StepOutcome> ProbeAsync(IHypervisorBed bed, Step step) => bed.Hypervisor.ProbeAsync(step, Context(bed), default);

    private static async Task UndoTwiceAsync(IHypervisorBed bed, Step step)
    {
        await bed.Hypervisor.UndoAsync(step, Context(bed), default);
        await bed.Hypervisor.UndoAsync(step, Context(bed), default);
    }

    private static Task<HypervisorObservation> ObserveAsync(IHypervisorBed bed, ShortId process) =>
        bed.Hypervisor.ObserveAsync(bed.Folder, process, bed.Definition, [], default);

    private static Step Launch(IHypervisorBed bed, ShortId process, MemoryImage memory, params Layer[] chain) =>
        bed.Hypervisor.Launch(new LaunchRequest(process, bed.Definition, [new DiskChain("vda", [.. chain])], memory));

    private static Step Checkpoint(IHypervisorBed bed, ShortId process, DomainState state, MemoryImage memory, Layer overlay) =>
        bed.Hypervisor.Checkpoint(new CheckpointRequest(process, state, memory, [new DiskSwitch("vda", bed.Base, overlay)], default));

    private static Step Leave(ShortId process, MemoryImage memory, IHypervisorBed bed) =>
        bed.Hypervisor.Leave(new LeaveRequest(process, DomainState.Running, memory, null, SuccessorRuns: false, default));

    private static async Task<ShortId> LaunchAsync(IHypervisorBed bed, MemoryImage memory, params Layer[] chain)
    {
        var process = bed.NewProcess();
        await ApplyAsync(bed, Launch(bed, process, memory, chain));
        return process;
    }

    private static Task<ShortId> StartAsync(IHypervisorBed bed) => StartAsync(bed, bed.Base);

    private static async Task<ShortId> StartAsync(IHypervisorBed bed, params Layer[] chain)
    {
        var process = await LaunchAsync(bed, MemoryImage.None, chain);
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        return process;
    }

    /// <summary>Waits until the guest counts on.</summary>
    private static async Task<long> CountingAsync(IHypervisorBed bed, ShortId process)
    {
        var before = await bed.CounterAsync(process);
        for (var attempt = 0; attempt < 500; attempt++)
        {
            await Task.Delay(attempt == 0 ? 0 : 20);
            var now = await bed.CounterAsync(process);
            if (now > before && before > 0)
            {
                return now;
            }

            before = now;
        }

        throw new TimeoutException("the guest does not run");
    }
}
