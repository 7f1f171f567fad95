using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>Layers that become one (R14, R197, R198).</summary>
public abstract partial class HypervisorContract
{
    private static readonly ShortId s_job = new("f00dcafe");

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task Layers_below_a_guest_that_runs_become_one_and_nobody_reads_anything_else(MergeDirection direction)
    {
        await using var bed = Open();
        var chain = Stack(bed, 3);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var merge = new MergeRequest(s_job, [.. chain], Lower: chain[2].Id, Upper: chain[1].Id, direction);
        var (begin, finish) = (bed.Hypervisor.BeginMerge(process, merge, guestless: false), bed.Hypervisor.FinishMerge(process, merge));
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Null((await ApplyAsync(bed, begin)).Warning);
        await ApplyAsync(bed, begin);
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, begin);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, finish));
        Assert.Equal([chain[1].Path, chain[2].Path, chain[3].Path, null], chain.Select(bed.BackingOf));
        Assert.Equal(before, bed.Read(chain));

        Assert.Null((await ApplyAsync(bed, finish)).Warning);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, finish));
        await ApplyAsync(bed, finish);
        Layer[] merged = direction is MergeDirection.Commit ? [chain[0], chain[2], chain[3]] : [chain[0], chain[1], chain[3]];
        Assert.Equal([merged[1].Path, merged[2].Path, null], merged.Select(bed.BackingOf));
        Assert.Equal(before, bed.Read(merged));
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);

        await CountingAsync(bed, process);
        var next = bed.NewOverlay(chain[0]);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(
            process, DomainState.Running, bed.NewMemory(), [new DiskSwitch("vda", chain[0], next)], default)));
        await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        await LaunchAsync(bed, MemoryImage.None, [next, .. merged]);
    }

    [Theory]
    [InlineData(1, MergeDirection.Stream)]
    [InlineData(2, MergeDirection.Commit)]
    public async Task The_lowest_layer_is_merged_too_and_so_is_the_one_that_the_guest_writes(int height, MergeDirection direction)
    {
        await using var bed = Open();
        var chain = Stack(bed, height);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var merge = new MergeRequest(s_job, [.. chain], Lower: chain[^1].Id, Upper: chain[^2].Id, direction);
        await MergeAsync(bed, process, merge, guestless: false);
        Layer[] merged = direction is MergeDirection.Commit ? [.. chain[..^2], chain[^1]] : chain[..^1];
        Assert.Null(bed.BackingOf(merged[^1]));
        Assert.Equal(before, bed.Read(merged));
        await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        await LaunchAsync(bed, MemoryImage.None, merged);
    }

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task Without_a_guest_layers_become_one_in_a_process_that_is_started_for_it(MergeDirection direction)
    {
        await using var bed = Open();
        var (chain, process) = (Stack(bed, 2), bed.NewProcess());
        var before = bed.Read(chain);
        var merge = new MergeRequest(s_job, [.. chain], Lower: chain[1].Id, Upper: chain[0].Id, direction);
        await MergeAsync(bed, process, merge, guestless: true);
        Layer[] merged = direction is MergeDirection.Commit ? [chain[1], chain[2]] : [chain[0], chain[2]];
        Assert.Equal(merged[1].Path, bed.BackingOf(merged[0]));
        Assert.Equal(before, bed.Read(merged));
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        await LaunchAsync(bed, MemoryImage.None, merged);
    }

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task A_merge_that_is_halted_leaves_all_layers_as_they_read_and_can_be_begun_again(MergeDirection direction)
    {
        await using var bed = Open();
        var chain = Stack(bed, 3);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var merge = new MergeRequest(s_job, [.. chain], Lower: chain[2].Id, Upper: chain[1].Id, direction);
        var halt = bed.Hypervisor.HaltMerge(process, s_job, guestless: false);
        await ApplyAsync(bed, halt);
        await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless: false));
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, halt);
        await ApplyAsync(bed, halt);
        await UndoTwiceAsync(bed, halt);
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Equal([chain[1].Path, chain[2].Path, chain[3].Path, null], chain.Select(bed.BackingOf));
        Assert.Equal(before, bed.Read(chain));

        var next = bed.NewOverlay(chain[0]);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(
            process, DomainState.Running, MemoryImage.None, [new DiskSwitch("vda", chain[0], next)], default)));
        await MergeAsync(bed, process, merge with { Chain = [next, .. chain] }, guestless: false);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_merge_that_is_halted_without_a_guest_ends_its_process()
    {
        await using var bed = Open();
        var (chain, process) = (Stack(bed, 2), bed.NewProcess());
        var before = bed.Read(chain);
        var halt = bed.Hypervisor.HaltMerge(process, s_job, guestless: true);
        await ApplyAsync(bed, halt);
        await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, OfTop(chain, MergeDirection.Commit), guestless: true));
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, halt);
        await ApplyAsync(bed, halt);
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Equal(before, bed.Read(chain));
        await LaunchAsync(bed, MemoryImage.None, chain);
    }

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task A_process_that_dies_takes_its_merge_with_it_and_another_begins_it_again(MergeDirection direction)
    {
        await using var bed = Open();
        var (chain, process) = (Stack(bed, 2), bed.NewProcess());
        var (before, merge) = (bed.Read(chain), OfTop(chain, direction));
        var (begin, finish) = (bed.Hypervisor.BeginMerge(process, merge, guestless: true), bed.Hypervisor.FinishMerge(process, merge));
        await ApplyAsync(bed, begin);
        await ReadyAsync(bed, process);
        await bed.KillAsync(process);
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, finish));
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, finish));
        await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless: false));
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Equal(before, bed.Read(chain));
        await ApplyAsync(bed, bed.Hypervisor.HaltMerge(process, s_job, guestless: true));

        await MergeAsync(bed, bed.NewProcess(), merge, guestless: true);
        Assert.Equal(before, bed.Read(direction is MergeDirection.Commit ? [chain[1], chain[2]] : [chain[0], chain[2]]));
    }

    [Fact]
    public async Task A_merge_that_was_not_begun_cannot_be_finished_and_nothing_changes()
    {
        await using var bed = Open();
        var chain = Stack(bed, 3);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var merge = new MergeRequest(s_job, [.. chain], Lower: chain[2].Id, Upper: chain[1].Id, MergeDirection.Commit);
        var finish = bed.Hypervisor.FinishMerge(process, merge);
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, finish))).Kind);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, finish));
        Assert.Equal(chain[1].Path, bed.BackingOf(chain[0]));
        Assert.Equal(before, bed.Read(chain));
    }

    [Fact]
    public async Task Layers_become_one_also_below_a_guest_that_was_saved_and_stands_still()
    {
        await using var bed = Open();
        var chain = Stack(bed, 3);
        var process = await StartAsync(bed, chain);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var next = bed.NewOverlay(chain[0]);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(
            process, DomainState.Paused, bed.NewMemory(), [new DiskSwitch("vda", chain[0], next)], default)));
        var merge = new MergeRequest(s_job, [next, .. chain], Lower: chain[2].Id, Upper: chain[1].Id, MergeDirection.Commit);
        await MergeAsync(bed, process, merge, guestless: false);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Resume));
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_device_is_read_into_the_layer_above_it()
    {
        await using var bed = Open();
        var device = bed.NewDeviceLayer();
        var top = bed.NewOverlay(device);
        bed.WriteInto(top, 1);
        var (before, process) = (bed.Read(top, device), bed.NewProcess());
        await MergeAsync(bed, process, OfTop([top, device], MergeDirection.Stream), guestless: true);
        Assert.Null(bed.BackingOf(top));
        Assert.Equal(before, bed.Read(top));
    }

    /// <summary>Layers on the image of the disk, top first; each has a block of its own, one that is hidden, and one that hides.</summary>
    private static Layer[] Stack(IHypervisorBed bed, int height)
    {
        List<Layer> chain = [bed.Base];
        for (var i = 1; i <= height; i++)
        {
            var layer = bed.NewOverlay(chain[0]);
            bed.WriteInto(layer, i, i + 1, i + 8);
            chain.Insert(0, layer);
        }

        return [.. chain];
    }

    private static MergeRequest OfTop(Layer[] chain, MergeDirection direction) =>
        new(s_job, [.. chain], Lower: chain[1].Id, Upper: chain[0].Id, direction);

    private static Task<MergeObservation> ObserveMergeAsync(IHypervisorBed bed, ShortId process) =>
        bed.Hypervisor.ObserveMergeAsync(bed.Folder, process, s_job, default);

    private static async Task MergeAsync(IHypervisorBed bed, ShortId process, MergeRequest merge, bool guestless)
    {
        Assert.Null((await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless))).Warning);
        await ReadyAsync(bed, process);
        Assert.Null((await ApplyAsync(bed, bed.Hypervisor.FinishMerge(process, merge))).Warning);
    }

    /// <summary>Waits until everything is copied.</summary>
    private static async Task ReadyAsync(IHypervisorBed bed, ShortId process)
    {
        for (var attempt = 0; attempt < 500; attempt++)
        {
            var found = await ObserveMergeAsync(bed, process);
            if (found.State is MergeState.Ready)
            {
                Assert.Equal(found.Total, found.Done);
                return;
            }

            Assert.Equal((MergeState.Running, null), (found.State, found.Error));
            await bed.WaitAsync();
        }

        throw new TimeoutException("the merge does not become ready");
    }
}
