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
    public async Task A_file_tells_when_it_was_written_and_how_many_names_it_has()
    {
        await using var bed = Open();
        var (overlay, backing, making) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, making);
        var made = await LookAsync();
        await bed.Storage.CheckAsync([overlay, backing], default);
        Assert.Equal(made, await LookAsync());
        Assert.Equal(1, made.Links);
        bed.WriteInto(overlay, backing);
        Assert.True((await LookAsync()).ModifiedAt > made.ModifiedAt);
        bed.NewNameOf(overlay.Path);
        Assert.Equal(2, (await LookAsync()).Links);

        async Task<FileObservation> LookAsync() => (await bed.Storage.ObserveFilesAsync([overlay.Path], default))[overlay.Path];
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

    [Theory]
    [InlineData(ImageFormat.Raw)]
    [InlineData(ImageFormat.Qcow2)]
    public async Task The_variables_of_a_firmware_start_as_its_template_and_are_taken_back(ImageFormat format)
    {
        await using var bed = Open();
        var template = Assert.Single(await bed.Storage.DiscoverAsync(bed.NewDisk(), default));
        var variables = template with { Id = new ShortId("f0000000"), Path = bed.NewPath(), Format = format, Origin = LayerOrigin.Coppice };
        var step = bed.Storage.CreateVariables(variables, template.Path);
        await UndoTwiceAsync(bed, step);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([variables], default);
        Assert.True((await bed.Storage.ObserveAsync(bed.Folder, variables, default)).Exists);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        await UndoTwiceAsync(bed, step);
        Assert.False(bed.Exists(variables.Path));
        Assert.True(bed.Exists(template.Path));
    }

    [Fact]
    public async Task Variables_that_were_written_are_not_taken_back()
    {
        await using var bed = Open();
        var template = Assert.Single(await bed.Storage.DiscoverAsync(bed.NewDisk(), default));
        var variables = template with { Id = new ShortId("f0000000"), Path = bed.NewPath(), Format = ImageFormat.Qcow2 };
        var step = bed.Storage.CreateVariables(variables, template.Path);
        await ApplyAsync(bed, step);
        bed.WriteInto(variables, template);
        await UndoTwiceAsync(bed, step);
        Assert.True(bed.Exists(variables.Path));
        Assert.NotEqual(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
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
    public async Task It_is_known_when_an_image_was_written_and_removing_what_is_inside_is_no_writing()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        await ApplyAsync(bed, bed.Storage.CreateInternal(Inside(overlay, "one")));
        var made = await ModifiedAsync();
        bed.WriteInto(overlay, backing);
        var written = await ModifiedAsync();
        Assert.True(written > made, $"{written} is not later than {made}");
        await ApplyAsync(bed, bed.Storage.RemoveInternal(Inside(overlay, "one")));
        Assert.Equal(written, await ModifiedAsync());

        async Task<DateTimeOffset> ModifiedAsync() =>
            (await bed.Storage.ObserveFilesAsync([overlay.Path], default))[overlay.Path].ModifiedAt;
    }

    [Fact]
    public async Task An_image_is_the_same_under_another_name_and_only_then()
    {
        await using var bed = Open();
        var (image, other, missing) = (bed.NewDisk().Source!, bed.NewDisk().Source!, bed.NewPath());
        var name = bed.NewNameOf(image);
        var files = await bed.Storage.ObserveFilesAsync([image, other, missing, name, image], default);
        Assert.Equal(files[image].Identity, files[name].Identity);
        Assert.NotEqual(files[image].Identity, files[other].Identity);
        Assert.True(files[image].Allocated.Bytes > 0);
        Assert.Equal(3, files.Count);
    }

    [Fact]
    public async Task An_internal_snapshot_keeps_what_the_disk_held_and_a_copy_of_it_is_a_disk_of_its_own()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var (empty, written) = (Inside(overlay, "empty"), Inside(overlay, "written"));
        await ApplyAsync(bed, bed.Storage.CreateInternal(empty));
        bed.WriteInto(overlay, backing);
        await ApplyAsync(bed, bed.Storage.CreateInternal(written));
        await bed.Storage.CheckAsync([written, backing], default);
        foreach (var (snapshot, isWritten) in new[] { (empty, false), (written, true) })
        {
            var copy = overlay with { Id = new ShortId($"c{snapshot.Id.ToString()[1..]}"), Path = bed.NewPath() };
            var copying = bed.Storage.CopyInternal(copy, snapshot, backing, default);
            await ApplyAsync(bed, copying);
            Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(copying, Context(bed), default));
            await bed.Storage.CheckAsync([copy, backing], default);
            Assert.Equal(isWritten, bed.IsWritten(copy));
            await UndoTwiceAsync(bed, copying);
            Assert.False(bed.Exists(copy.Path));
            Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(copying, Context(bed), default));
        }

        Assert.True(bed.IsWritten(overlay));
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

    [Fact]
    public async Task An_internal_snapshot_is_copied_out_of_an_image_that_is_in_use_and_is_not_made_or_removed_there()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var snapshot = Inside(overlay, "kept");
        await ApplyAsync(bed, bed.Storage.CreateInternal(snapshot));
        await using (bed.Use(overlay))
        {
            var copy = overlay with { Id = new ShortId("c0000000"), Path = bed.NewPath() };
            await ApplyAsync(bed, bed.Storage.CopyInternal(copy, snapshot, backing, default));
            Assert.True(bed.Exists(copy.Path));
            var another = bed.Storage.CreateInternal(Inside(overlay, "another"));
            var refusal = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, another));
            Assert.Contains(overlay.Path, refusal.Message, StringComparison.Ordinal);
            await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Storage.RemoveInternal(snapshot)));

            // What a hypervisor makes is the hypervisor's to take back while it lives.
            await UndoTwiceAsync(bed, bed.Storage.ExpectInternal(snapshot));
        }

        await bed.Storage.CheckAsync([snapshot, backing], default);
        await UndoTwiceAsync(bed, bed.Storage.ExpectInternal(snapshot));
        await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([snapshot, backing], default));
    }

    [Fact]
    public async Task An_internal_snapshot_is_taken_back_and_removed_and_is_missed_by_those_that_need_it()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var snapshot = Inside(overlay, "s1");
        var creation = bed.Storage.CreateInternal(snapshot);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(creation, Context(bed), default));
        await ApplyAsync(bed, bed.Storage.ExpectInternal(snapshot));
        await ApplyAsync(bed, creation);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(creation, Context(bed), default));
        foreach (var again in new[] { creation, bed.Storage.ExpectInternal(snapshot) })
        {
            Assert.Equal(ErrorKind.AlreadyExists, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, again))).Kind);
        }

        await UndoTwiceAsync(bed, creation);
        await ApplyAsync(bed, creation);
        var removal = bed.Storage.RemoveInternal(snapshot);
        await ApplyAsync(bed, removal);
        await ApplyAsync(bed, removal);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(removal, Context(bed), default));
        var missing = await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([snapshot, backing], default));
        Assert.Contains(snapshot.Inside!.Tag, missing.Message, StringComparison.Ordinal);
        var copy = overlay with { Id = new ShortId("c0000000"), Path = bed.NewPath() };
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Storage.CopyInternal(copy, snapshot, backing, default)));
        Assert.False(bed.Exists(copy.Path));
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

    private static Layer Inside(Layer holder, string tag) => holder with
    {
        Id = new ShortId($"a{tag.Length:x7}"), Inside = new InternalPlace(holder.Id, tag),
    };

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
