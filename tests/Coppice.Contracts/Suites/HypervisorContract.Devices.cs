using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <content>Disks in block devices.</content>
public abstract partial class HypervisorContract
{
    [Fact]
    public async Task A_block_device_is_written_by_one_process_until_a_checkpoint_freezes_it_for_all()
    {
        await using var bed = Open();
        var device = bed.NewDeviceLayer();
        var process = await LaunchAsync(bed, MemoryImage.None, device);
        await ApplyAsync(bed, bed.Hypervisor.TakeOver(process, bed.Definition, run: true));
        await CountingAsync(bed, process);
        Assert.Equal(device.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
        var second = Launch(bed, bed.NewProcess(), MemoryImage.None, device);
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, second))).Kind);

        var (memory, overlay) = (bed.NewMemory(), bed.NewOverlay(device));
        var checkpoint = bed.Hypervisor.Checkpoint(
            new CheckpointRequest(process, DomainState.Running, memory, [new DiskSwitch("vda", device, overlay)], default));
        await ApplyAsync(bed, checkpoint);
        Assert.Equal(overlay.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
        var loaded = await LaunchAsync(bed, memory, bed.NewOverlay(device), device);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, loaded)).State);
    }

    [Fact]
    public async Task A_block_device_is_looked_at_again_and_not_grown()
    {
        await using var bed = Open();
        var device = bed.NewDeviceLayer();
        var process = await LaunchAsync(bed, MemoryImage.None, device);
        var step = bed.Hypervisor.Resize(process, device, device.VirtualSize);
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        var larger = bed.Hypervisor.Resize(process, device, new ByteCount(device.VirtualSize.Bytes * 2));
        await Assert.ThrowsAnyAsync<Exception>(() => ApplyAsync(bed, larger));
    }

    [Fact]
    public async Task A_file_is_not_taken_for_a_block_device()
    {
        await using var bed = Open();
        var step = Launch(bed, bed.NewProcess(), MemoryImage.None, bed.Base with { Type = StorageType.Block });
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains(bed.Base.Path, error.Message, StringComparison.Ordinal);
    }
}
