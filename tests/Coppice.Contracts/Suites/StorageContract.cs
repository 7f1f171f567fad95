using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What every storage backend keeps, the fake included.</summary>
public abstract partial class StorageContract
{
    protected abstract IStorageBed Open();

    [Fact]
    public async Task The_image_of_a_user_is_found_and_stays_the_users()
    {
        await using var bed = Open();
        var disk = bed.NewDisk();
        var layer = Assert.Single(await bed.Storage.DiscoverAsync(disk, default));
        Assert.Equal((disk.Target, disk.Source, LayerOrigin.User), (layer.Disk, layer.Path, layer.Origin));
        Assert.Equal(layer, Assert.Single(await bed.Storage.DiscoverAsync(disk, default)));
        Assert.False((await bed.Storage.ObserveAsync(bed.Folder, layer, default)).IsEmpty);
    }

    [Fact]
    public async Task An_image_that_is_missing_is_named()
    {
        await using var bed = Open();
        var disk = bed.NewDisk() with { Source = bed.NewPath() };
        var error = await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.DiscoverAsync(disk, default));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains(disk.Source, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_overlay_is_empty_until_it_is_written_and_its_chain_checks_out()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([overlay, backing], default);
        var seen = await bed.Storage.ObserveAsync(bed.Folder, overlay, default);
        Assert.True(seen is { Exists: true, IsEmpty: true });
        Assert.True(seen.Free.Bytes > 0 && seen.FreeForMemory.Bytes > 0);
        Assert.True(seen.Capacity.Bytes >= seen.Free.Bytes && seen.CapacityForMemory.Bytes >= seen.FreeForMemory.Bytes);
        bed.WriteInto(overlay, backing);
        Assert.False((await bed.Storage.ObserveAsync(bed.Folder, overlay, default)).IsEmpty);
    }

    [Fact]
    public async Task An_overlay_is_taken_back_wholly()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await UndoTwiceAsync(bed, step);
        await ApplyAsync(bed, step);
        await UndoTwiceAsync(bed, step);
        Assert.False(bed.Exists(overlay.Path));
        Assert.True(bed.Exists(backing.Path));
        await ApplyAsync(bed, step);
        Assert.True(bed.Exists(overlay.Path));
    }

    [Fact]
    public async Task A_file_that_is_there_is_not_overwritten()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        bed.WriteInto(overlay, backing);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.False((await bed.Storage.ObserveAsync(bed.Folder, overlay, default)).IsEmpty);
    }

    [Fact]
    public async Task An_overlay_that_was_made_beforehand_is_used_and_stays_whoever_takes_it_back()
    {
        await using var bed = Open();
        var (overlay, backing, making) = await NewOverlayAsync(bed);
        var adoption = bed.Storage.AdoptOverlay(overlay, [backing]);
        await UndoTwiceAsync(bed, adoption);
        Assert.Equal(ErrorKind.NotFound, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, adoption))).Kind);
        await ApplyAsync(bed, making);
        await ApplyAsync(bed, adoption);
        await ApplyAsync(bed, adoption);
        await UndoTwiceAsync(bed, adoption);
        await bed.Storage.CheckAsync([overlay, backing], default);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(adoption, Context(bed), default));
    }

    [Fact]
    public async Task One_that_was_written_to_is_of_another_size_or_in_use_or_builds_on_another_image_is_not_used()
    {
        await using var bed = Open();
        var (overlay, backing, making) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, making);
        var (_, other, _) = await NewOverlayAsync(bed);
        await RefusedAsync(overlay, other);
        await RefusedAsync(overlay with { VirtualSize = new ByteCount(3 << 20) }, backing);
        await using (bed.Use(overlay))
        {
            await RefusedAsync(overlay, backing);
        }

        await ApplyAsync(bed, bed.Storage.AdoptOverlay(overlay, [backing]));
        bed.WriteInto(overlay, backing);
        await RefusedAsync(overlay, backing);
        Assert.True(bed.IsWritten(overlay));

        async Task RefusedAsync(Layer used, Layer below)
        {
            var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Storage.AdoptOverlay(used, [below])));
            Assert.Contains(overlay.Path, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_chain_that_is_not_what_the_catalog_says_is_refused()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([overlay, backing], default));
        await ApplyAsync(bed, step);
        var (other, _, _) = await NewOverlayAsync(bed);
        await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([overlay, other with { Parent = null }], default));
        await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([overlay], default));
    }

    [Fact]
    public async Task What_is_removed_is_gone_and_can_be_removed_again()
    {
        await using var bed = Open();
        var (overlay, _, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var removal = bed.Storage.Remove(overlay.Path, default);
        await ApplyAsync(bed, removal);
        await ApplyAsync(bed, removal);
        Assert.False(bed.Exists(overlay.Path));
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(removal, Context(bed), default));
    }

    [Fact]
    public async Task A_layer_is_removed_unless_it_was_written_to_in_the_meantime()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var removal = bed.Storage.RemoveUnwritten(overlay);
        bed.WriteInto(overlay, backing);
        Assert.NotNull((await bed.Storage.ApplyAsync(removal, Context(bed), default)).Warning);
        Assert.True(bed.IsWritten(overlay));

        await ApplyAsync(bed, bed.Storage.Remove(overlay.Path, default));
        await ApplyAsync(bed, step);
        await ApplyAsync(bed, removal);
        Assert.False(bed.Exists(overlay.Path));
        await ApplyAsync(bed, removal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_image_that_nobody_uses_grows_and_is_observed_as_it_is(bool isOverlay)
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var layer = isOverlay ? overlay : backing;
        Assert.Equal(layer.VirtualSize, (await bed.Storage.ObserveAsync(bed.Folder, layer, default)).VirtualSize);

        var size = new ByteCount(3 << 20);
        var resize = bed.Storage.Resize(layer, size);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(resize, Context(bed), default));
        await ApplyAsync(bed, resize);
        await ApplyAsync(bed, resize);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(resize, Context(bed), default));
        Assert.Equal(size, (await bed.Storage.ObserveAsync(bed.Folder, layer, default)).VirtualSize);
        await bed.Storage.CheckAsync([overlay, backing], default);
    }

    [Fact]
    public async Task An_image_that_somebody_uses_does_not_grow()
    {
        await using var bed = Open();
        var (overlay, _, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        await using (bed.Use(overlay))
        {
            await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Storage.Resize(overlay, new ByteCount(3 << 20))));
        }

        Assert.Equal(overlay.VirtualSize, (await bed.Storage.ObserveAsync(bed.Folder, overlay, default)).VirtualSize);
    }

    [Fact]
    public async Task A_text_file_is_written_once_and_taken_back()
    {
        await using var bed = Open();
        var path = bed.Folder.Definition(new ShortId("12345678"));
        var step = bed.Storage.WriteFile(path, "<domain/>");
        await ApplyAsync(bed, step);
        Assert.Equal("<domain/>", await File.ReadAllTextAsync(path));
        await UndoTwiceAsync(bed, step);
        Assert.False(File.Exists(path));
    }

    private static StepContext Context(IStorageBed bed) => new(bed.Folder, new ShortId("0badcafe"), new Progress<StepProgress>());

    private static Task<StepReport> ApplyAsync(IStorageBed bed, Step step) => bed.Storage.ApplyAsync(step, Context(bed), default);

    private static async Task UndoTwiceAsync(IStorageBed bed, Step step)
    {
        await bed.Storage.UndoAsync(step, Context(bed), default);
        await bed.Storage.UndoAsync(step, Context(bed), default);
    }

    private static async Task<(Layer Overlay, Layer Backing, Step Step)> NewOverlayAsync(IStorageBed bed, DiskDevice? disk = null)
    {
        var chain = await bed.Storage.DiscoverAsync(disk ?? bed.NewDisk(), default);
        var overlay = new Layer
        {
            Id = new ShortId("aabbccdd"),
            Disk = chain[0].Disk,
            Path = bed.NewPath(),
            Format = ImageFormat.Qcow2,
            VirtualSize = chain[0].VirtualSize,
            Parent = chain[0].Id,
            Origin = LayerOrigin.Coppice,
        };
        return (overlay, chain[0], bed.Storage.CreateOverlay(overlay, chain[0]));
    }
}
