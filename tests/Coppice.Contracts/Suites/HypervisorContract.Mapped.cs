using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every hypervisor keeps of RAM that is a file, and of memory that is a clone of it.</summary>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task A_mapped_checkpoint_keeps_the_memory_and_whatever_begins_with_it_leaves_it_as_it_is()
    {
        await using var bed = Open();
        await bed.RequireVolumeAsync();
        var (process, memory, overlay) = (await StartMappedAsync(bed), Mapped(bed), bed.NewOverlay(bed.Base));
        Assert.Equal(bed.Folder.Ram(process), (await ObserveAsync(bed, process)).Ram);
        var step = Checkpoint(bed, process, DomainState.Running, memory, overlay);
        var before = await bed.CounterAsync(process);
        Assert.NotNull((await ApplyAsync(bed, step)).Pause);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        Assert.True(bed.Exists(memory));
        var after = await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.End(process));

        long? kept = null;
        foreach (var isClonable in new[] { true, false, true })
        {
            var loaded = bed.NewProcess();
            await ApplyAsync(bed, WithRam(bed, loaded, memory, isClonable, bed.NewOverlay(bed.Base), bed.Base));
            var counter = await bed.CounterAsync(loaded);
            Assert.InRange(counter, before, after);
            kept ??= counter;
            Assert.Equal(kept, counter);
            Assert.Equal(isClonable ? bed.Folder.Ram(loaded) : null, (await ObserveAsync(bed, loaded)).Ram);
            await ApplyAsync(bed, bed.Hypervisor.TakeOver(loaded, bed.Definition, run: true));
            await CountingAsync(bed, loaded);
            await ApplyAsync(bed, bed.Hypervisor.End(loaded));
            Assert.True(bed.Exists(memory));
        }
    }

    [Fact]
    public async Task A_guest_whose_RAM_is_a_file_can_have_its_memory_kept_as_a_stream_and_begin_with_one()
    {
        await using var bed = Open();
        await bed.RequireVolumeAsync();
        var (process, memory) = (await StartMappedAsync(bed), bed.NewMemory());
        var before = await bed.CounterAsync(process);
        await ApplyAsync(bed, Checkpoint(bed, process, DomainState.Running, memory, bed.NewOverlay(bed.Base)));
        var after = await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        var loaded = bed.NewProcess();
        await ApplyAsync(bed, WithRam(bed, loaded, memory, isClonable: true, bed.NewOverlay(bed.Base), bed.Base));
        Assert.InRange(await bed.CounterAsync(loaded), before, after);
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(loaded, bed.Definition, run: true));
        await CountingAsync(bed, loaded);
    }

    [Fact]
    public async Task Memory_inside_a_disk_has_its_RAM_also_after_a_mapped_checkpoint()
    {
        await using var bed = Open();
        await bed.RequireVolumeAsync();
        var (process, head) = (bed.NewProcess(), bed.NewOverlay(bed.Base));
        await ApplyAsync(bed, WithRam(bed, process, MemoryImage.None, isClonable: true, head, bed.Base));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        Assert.True((await ObserveAsync(bed, process)).HasRamInFile);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(process, DomainState.Running, Mapped(bed), [], default)));
        var (snapshot, memory) = Inside(head, "kept");
        var before = await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Running, memory, [], default) { Internals = [snapshot] }));
        var after = await CountingAsync(bed, process);
        var loaded = await LoadAsync(bed, memory, snapshot);
        Assert.InRange(await bed.CounterAsync(loaded), before, after);
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(loaded, bed.Definition, run: true));
        await CountingAsync(bed, loaded);
    }

    [Fact]
    public async Task A_process_whose_RAM_cannot_be_cloned_is_refused_by_a_mapped_checkpoint_and_goes_on()
    {
        await using var bed = Open();
        await bed.RequireVolumeAsync();
        var process = await StartAsync(bed);
        Assert.False((await ObserveAsync(bed, process)).HasRamInFile);
        var (memory, overlay) = (Mapped(bed), bed.NewOverlay(bed.Base));
        foreach (var step in new[] { Checkpoint(bed, process, DomainState.Running, memory, overlay), Leave(process, memory, bed) })
        {
            var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
            Assert.Equal(ErrorKind.WrongState, error.Kind);
            await UndoTwiceAsync(bed, step);
            Assert.False(bed.Exists(memory));
            Assert.Equal(bed.Base.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
            await CountingAsync(bed, process);
        }
    }

    [Fact]
    public async Task Leaving_a_process_whose_memory_is_mapped_is_taken_back_wholly_and_so_is_a_checkpoint()
    {
        await using var bed = Open();
        await bed.RequireVolumeAsync();
        var (process, memory) = (await StartMappedAsync(bed), Mapped(bed));
        foreach (var step in new[] { Leave(process, memory, bed), Checkpoint(bed, process, DomainState.Running, memory, bed.NewOverlay(bed.Base)) })
        {
            await UndoTwiceAsync(bed, step);
            await ApplyAsync(bed, step);
            Assert.True(bed.Exists(memory));
            await UndoTwiceAsync(bed, step);
            Assert.False(bed.Exists(memory));
            Assert.Equal(bed.Folder.Ram(process), (await ObserveAsync(bed, process)).Ram);
            await CountingAsync(bed, process);
        }
    }

    [Fact]
    public async Task A_mapped_image_that_is_missing_or_is_none_is_refused_and_no_RAM_is_left()
    {
        await using var bed = Open();
        await bed.RequireVolumeAsync();
        var stream = bed.NewMemory();
        var process = await StartAsync(bed);
        await ApplyAsync(bed, Leave(process, stream, bed));
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        foreach (var memory in new[] { Mapped(bed), stream with { Format = MemoryFormat.Mapped } })
        {
            var next = bed.NewProcess();
            var step = WithRam(bed, next, memory, isClonable: true, bed.Base);
            await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
            await UndoTwiceAsync(bed, step);
            Assert.False(bed.Exists(stream with { File = bed.Folder.Ram(next) }));
        }
    }

    private static MemoryImage Mapped(IHypervisorBed bed)
    {
        var memory = bed.NewMemory();
        return memory with { Format = MemoryFormat.Mapped, File = $"{bed.Folder.VolumeFolder}/{Path.GetFileName(memory.File)}" };
    }

    private static Step WithRam(IHypervisorBed bed, ShortId process, MemoryImage memory, bool isClonable, params Layer[] chain) =>
        bed.Hypervisor.Launch(new LaunchRequest(process, bed.Definition, [new DiskChain("vda", [.. chain])], memory)
        {
            Ram = isClonable ? new RamPlace(bed.Folder.Ram(process), IsClonable: true) : new RamPlace(bed.Folder.PrivateRam(process), IsClonable: false),
        });

    private static async Task<ShortId> StartMappedAsync(IHypervisorBed bed)
    {
        var process = bed.NewProcess();
        await ApplyAsync(bed, WithRam(bed, process, MemoryImage.None, isClonable: true, bed.Base));
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        return process;
    }
}
