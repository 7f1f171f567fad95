using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <content>Raw images in block devices.</content>
public abstract partial class StorageContract
{
    [Fact]
    public async Task A_block_device_goes_by_the_name_it_was_given_and_layers_on_it_are_files_of_the_domain()
    {
        await using var bed = Open();
        var disk = bed.NewDevice();
        var device = Assert.Single(await bed.Storage.DiscoverAsync(disk, default));
        Assert.Equal(
            (disk.Source, StorageType.Block, ImageFormat.Raw, LayerOrigin.User), (device.Path, device.Type, device.Format, device.Origin));
        var seen = await bed.Storage.ObserveAsync(bed.Folder, device, default);
        Assert.True(seen is { Exists: true, IsEmpty: false });
        Assert.Equal(device.VirtualSize, seen.VirtualSize);
        Assert.Equal(bed.Folder.Images(disk.Target), seen.OverlayFolder);

        var (overlay, _, step) = await NewOverlayAsync(bed, disk);
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([overlay, device], default);
        bed.WriteInto(overlay, device);
        await ApplyAsync(bed, bed.Storage.Remove(overlay.Path, default));
        Assert.True(bed.Exists(device.Path));
    }

    [Fact]
    public async Task When_a_block_device_was_written_nobody_tells_and_of_a_file_it_is_known()
    {
        await using var bed = Open();
        var (device, file) = (await DiscoverAsync(bed, bed.NewDevice()), await DiscoverAsync(bed, bed.NewDisk()));
        Assert.Null((await bed.Storage.ObserveAsync(bed.Folder, device, default)).WrittenAt);
        Assert.NotNull((await bed.Storage.ObserveAsync(bed.Folder, file, default)).WrittenAt);
    }

    [Fact]
    public async Task No_step_removes_or_grows_a_block_device_whatever_the_records_say()
    {
        await using var bed = Open();
        var disk = bed.NewDevice();
        var device = await DiscoverAsync(bed, disk) with { Origin = LayerOrigin.Coppice };
        var removal = await Assert.ThrowsAnyAsync<Exception>(() => ApplyAsync(bed, bed.Storage.Remove(device.Path, default)));
        Assert.Contains(device.Path, removal.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<CoppiceException>(
            () => ApplyAsync(bed, bed.Storage.Resize(device, new ByteCount(device.VirtualSize.Bytes * 2))));
        Assert.Equal(device with { Origin = LayerOrigin.User }, await DiscoverAsync(bed, disk));
    }

    [Fact]
    public async Task What_is_not_kept_in_what_the_definition_says_is_refused()
    {
        await using var bed = Open();
        foreach (var (disk, wrong) in new[] { (bed.NewDevice(), StorageType.File), (bed.NewDisk(), StorageType.Block) })
        {
            var layer = await DiscoverAsync(bed, disk);
            var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.DiscoverAsync(disk with { Type = wrong }, default));
            Assert.Equal(ErrorKind.InvalidInput, error.Kind);
            Assert.Contains(disk.Source!, error.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([layer with { Type = wrong }], default));
        }
    }

    [Fact]
    public async Task A_block_device_is_the_same_by_each_of_its_nodes()
    {
        await using var bed = Open();
        var (device, other, file) = (bed.NewDevice().Source!, bed.NewDevice().Source!, bed.NewDisk().Source!);
        var name = bed.NewNameOf(device);
        var files = await bed.Storage.ObserveFilesAsync([device, other, file, name], default);
        Assert.Equal(files[device].Identity, files[name].Identity);
        Assert.NotEqual(files[device].Identity, files[other].Identity);
        Assert.Equal(
            [StorageType.Block, StorageType.Block, StorageType.Block, StorageType.File],
            new[] { device, other, name, file }.Select(p => files[p].Type));
    }

    [Fact]
    public async Task A_block_device_that_grew_is_seen_as_it_is_and_one_that_shrank_under_its_layers_is_refused()
    {
        await using var bed = Open();
        var disk = bed.NewDevice();
        var (overlay, device, step) = await NewOverlayAsync(bed, disk);
        await ApplyAsync(bed, step);
        bed.SetSize(disk, new ByteCount(2 << 20));
        Assert.Equal(new ByteCount(2 << 20), (await bed.Storage.ObserveAsync(bed.Folder, device, default)).VirtualSize);
        await bed.Storage.CheckAsync([overlay, device], default);
        bed.SetSize(disk, new ByteCount(1 << 19));
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([overlay, device], default));
        Assert.Equal(ErrorKind.Damaged, error.Kind);
        Assert.Contains(device.Path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_block_device_that_the_host_uses_is_refused_as_long_as_it_does()
    {
        await using var bed = Open();
        var disk = bed.NewDevice();
        var (overlay, device, step) = await NewOverlayAsync(bed, disk);
        await ApplyAsync(bed, step);
        using (bed.Claim(disk))
        {
            Func<Task>[] uses =
            [
                () => bed.Storage.DiscoverAsync(disk, default),
                () => bed.Storage.CheckAsync([device], default),
                () => bed.Storage.CheckAsync([overlay, device], default),
            ];
            foreach (var use in uses)
            {
                var error = await Assert.ThrowsAsync<CoppiceException>(use);
                Assert.Equal(ErrorKind.WrongState, error.Kind);
                Assert.Contains(device.Path, error.Message, StringComparison.Ordinal);
            }
        }

        await bed.Storage.CheckAsync([overlay, device], default);
    }

    [Fact]
    public async Task An_internal_snapshot_in_a_layer_on_a_block_device_is_copied_out_onto_the_device()
    {
        await using var bed = Open();
        var (overlay, device, step) = await NewOverlayAsync(bed, bed.NewDevice());
        await ApplyAsync(bed, step);
        bed.WriteInto(overlay, device);
        var snapshot = Inside(overlay, "kept");
        await ApplyAsync(bed, bed.Storage.CreateInternal(snapshot));
        var copy = overlay with { Id = new ShortId("c0000000"), Path = bed.NewPath() };
        await ApplyAsync(bed, bed.Storage.CopyInternal(copy, snapshot, device, default));
        await bed.Storage.CheckAsync([copy, device], default);
        Assert.True(bed.IsWritten(copy));
    }

    private static async Task<Layer> DiscoverAsync(IStorageBed bed, DiskDevice disk) =>
        Assert.Single(await bed.Storage.DiscoverAsync(disk, default));
}
