using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of processes that wait for somebody to take them.</summary>
public abstract partial class HypervisorContract
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_spare_waits_with_its_memory_loaded_and_goes_on_once_it_is_taken()
    {
        await using var bed = Open();
        var (process, memory) = (await StartAsync(bed), bed.NewMemory());
        await ApplyAsync(bed, Checkpoint(bed, process, DomainState.Running, memory, bed.NewOverlay(bed.Base)));
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        var spare = await WaitingAsync(bed, memory);
        var kept = await bed.CounterAsync(spare);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, spare)).State);
        Assert.True(bed.Hypervisor.IsWaiting(bed.Folder, spare));
        Assert.True(Assert.Single(bed.Hypervisor.Processes(bed.Folder.Home)).Waits?.Bytes > 0);

        var take = bed.Hypervisor.TakeSpare(spare);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, take));
        await ApplyAsync(bed, take);
        await ApplyAsync(bed, take);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, take));
        Assert.False(bed.Hypervisor.IsWaiting(bed.Folder, spare));
        Assert.Null(Assert.Single(bed.Hypervisor.Processes(bed.Folder.Home)).Waits);
        Assert.Equal(kept, await bed.CounterAsync(spare));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(spare, bed.Definition, run: true));
        Assert.True(await CountingAsync(bed, spare) > kept);
    }

    [Fact]
    public async Task A_spare_that_ended_is_not_taken_and_one_that_was_taken_ends_when_that_is_undone()
    {
        await using var bed = Open();
        var spare = await WaitingAsync(bed, MemoryImage.None);
        await UndoTwiceAsync(bed, bed.Hypervisor.TakeSpare(spare));
        Assert.True(bed.Hypervisor.IsWaiting(bed.Folder, spare));
        await ApplyAsync(bed, bed.Hypervisor.TakeSpare(spare));
        await UndoTwiceAsync(bed, bed.Hypervisor.TakeSpare(spare));
        Assert.Empty(bed.Hypervisor.Processes(bed.Folder.Home));

        var other = await WaitingAsync(bed, MemoryImage.None);
        await ApplyAsync(bed, bed.Hypervisor.End(other));
        Assert.False(bed.Hypervisor.IsWaiting(bed.Folder, other));
        var refusal = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Hypervisor.TakeSpare(other)));
        Assert.Equal(ErrorKind.WrongState, refusal.Kind);
    }

    private static async Task<ShortId> WaitingAsync(IHypervisorBed bed, MemoryImage memory)
    {
        var process = bed.NewProcess();
        await ApplyAsync(bed, bed.Hypervisor.Launch(new LaunchRequest(process, bed.Definition, [new DiskChain("vda", [bed.NewOverlay(bed.Base), bed.Base])], memory) { Waits = s_long }));
        return process;
    }
}
