using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of internal snapshots.</summary>
public abstract partial class HypervisorContract
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Memory_inside_a_disk_is_loaded_by_another_process_also_if_the_guest_has_left_that_layer(bool moves)
    {
        await using var bed = Open();
        var (process, head) = await StartOnOverlayAsync(bed);
        var (snapshot, memory) = Inside(head, "kept");
        var next = bed.NewOverlay(head);
        var step = bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Running, memory, moves ? [new DiskSwitch("vda", head, next)] : [], default)
            {
                Internals = [snapshot],
            });
        var before = await bed.CounterAsync(process);
        var report = await ApplyAsync(bed, step);
        Assert.NotNull(report.Pause);
        Assert.Equal(moves ? StepOutcome.Done : StepOutcome.NotDone, await ProbeAsync(bed, step));
        var after = await CountingAsync(bed, process);
        Assert.Equal((moves ? next : head).Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);

        var loaded = await LoadAsync(bed, memory, snapshot);
        Assert.InRange(await bed.CounterAsync(loaded), before, after);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, loaded)).State);
    }

    [Fact]
    public async Task Internal_snapshots_are_taken_back_and_can_be_made_again()
    {
        await using var bed = Open();
        var (process, head) = await StartOnOverlayAsync(bed);
        var (snapshot, memory) = Inside(head, "kept");
        var step = bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Running, memory, [], default) { Internals = [snapshot] });
        await UndoTwiceAsync(bed, step);
        await ApplyAsync(bed, step);
        await UndoTwiceAsync(bed, step);
        await Assert.ThrowsAsync<CoppiceException>(() => LoadAsync(bed, memory, snapshot));
        await CountingAsync(bed, process);
        await ApplyAsync(bed, step);
        await LoadAsync(bed, memory, snapshot);
    }

    [Fact]
    public async Task An_internal_snapshot_is_removed_while_the_guest_runs_and_from_a_process_that_is_gone_nothing_is()
    {
        await using var bed = Open();
        var (process, head) = await StartOnOverlayAsync(bed);
        var (snapshot, memory) = Inside(head, "kept");
        var request = new CheckpointRequest(process, DomainState.Running, memory, [], default) { Internals = [snapshot] };
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(request));
        var removal = bed.Hypervisor.RemoveInternal(process, snapshot);
        await ApplyAsync(bed, removal);
        await ApplyAsync(bed, removal);
        await Assert.ThrowsAsync<CoppiceException>(() => LoadAsync(bed, memory, snapshot));
        await CountingAsync(bed, process);
        await bed.KillAsync(process);
        await ApplyAsync(bed, removal);
    }

    [Fact]
    public async Task With_memory_in_a_file_a_disk_is_snapshotted_inside_and_the_guest_can_be_left_paused()
    {
        await using var bed = Open();
        var (process, head) = await StartOnOverlayAsync(bed);
        var (snapshot, _) = Inside(head, "kept");
        var memory = bed.NewMemory();
        var step = bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Running, memory, [], default) { Internals = [snapshot], StaysPaused = true });
        await ApplyAsync(bed, step);
        Assert.True(bed.Exists(memory));
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        var counter = await bed.CounterAsync(process);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Resume));
        await CountingAsync(bed, process);

        var loaded = await LaunchAsync(bed, memory, bed.NewOverlay(bed.Base), bed.Base);
        Assert.Equal(counter, await bed.CounterAsync(loaded));
    }

    [Fact]
    public async Task A_guest_that_was_saved_and_stands_still_is_snapshotted_without_memory()
    {
        await using var bed = Open();
        var (process, head) = await StartOnOverlayAsync(bed);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var (first, second) = (bed.NewOverlay(head), Inside(head, "kept").Snapshot);
        var saved = new CheckpointRequest(process, DomainState.Paused, bed.NewMemory(), [new DiskSwitch("vda", head, first)], default);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(saved));
        var inside = second with { Path = first.Path, Inside = new InternalPlace(first.Id, "kept") };
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Paused, MemoryImage.None, [], default) { Internals = [inside] }));
        var third = bed.NewOverlay(first);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Paused, MemoryImage.None, [new DiskSwitch("vda", first, third)], default)));
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        Assert.Equal(third.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
    }

    [Fact]
    public async Task Removing_one_from_a_guest_that_was_saved_and_stands_still_harms_nobody()
    {
        await using var bed = Open();
        var (process, head) = await StartOnOverlayAsync(bed);
        var (snapshot, _) = Inside(head, "kept");
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Paused, bed.NewMemory(), [], default) { Internals = [snapshot] }));
        await ApplyAsync(bed, bed.Hypervisor.RemoveInternal(process, snapshot));
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Resume));
        await CountingAsync(bed, process);
    }

    private static async Task<(ShortId Process, Layer Head)> StartOnOverlayAsync(IHypervisorBed bed)
    {
        var head = bed.NewOverlay(bed.Base);
        var process = await LaunchAsync(bed, MemoryImage.None, head, bed.Base);
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        return (process, head);
    }

    private static (Layer Snapshot, MemoryImage Memory) Inside(Layer head, string tag)
    {
        var snapshot = head with { Id = new ShortId("1a000001"), Inside = new InternalPlace(head.Id, tag) };
        return (snapshot, new MemoryImage { Mode = MemoryMode.Internal, Disk = "vda", Layer = snapshot.Id });
    }

    private static async Task<ShortId> LoadAsync(IHypervisorBed bed, MemoryImage memory, Layer holder)
    {
        var process = bed.NewProcess();
        var disk = new DiskChain("vda", [bed.NewOverlay(bed.Base), bed.Base]);
        var launch = bed.Hypervisor.Launch(new LaunchRequest(process, bed.Definition, [disk], memory) { MemoryHolder = holder });
        await ApplyAsync(bed, launch);
        return process;
    }
}
