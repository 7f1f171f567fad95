using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What a check asks of storage, and what a repair does.</summary>
public abstract partial class StorageContract
{
    [Fact]
    public async Task What_lies_in_the_folders_of_a_domain_is_listed_whether_it_is_known_or_not()
    {
        await using var bed = Open();
        var (made, backing, _) = await NewOverlayAsync(bed);
        var overlay = made with { Path = $"{bed.Folder.Images("vda")}/vda.one.0000abcd.qcow2" };
        Assert.Empty(await bed.Storage.ListAsync(bed.Folder, [backing], default));
        await ApplyAsync(bed, bed.Storage.CreateOverlay(overlay, backing));
        var listed = await bed.Storage.ListAsync(bed.Folder, [backing], default);
        Assert.Equal(overlay.Path, Assert.Single(listed).Key);
        var known = (await bed.Storage.ObserveFilesAsync([overlay.Path], default))[overlay.Path];
        Assert.Equal(known.Identity, listed[overlay.Path].Identity);
    }

    [Fact]
    public async Task An_image_is_sound_unless_its_tables_say_otherwise_and_is_not_called_damaged_while_somebody_writes_to_it()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        bed.WriteInto(overlay, backing);
        Assert.Equal(ImageHealth.Sound, await bed.Storage.ExamineAsync(overlay, default));
        await using (bed.Use(overlay))
        {
            Assert.Equal(ImageHealth.Sound, await bed.Storage.ExamineAsync(overlay, default));
        }

        bed.Damage(overlay, ImageHealth.Leaking);
        await using (bed.Use(overlay))
        {
            Assert.Equal(ImageHealth.InUse, await bed.Storage.ExamineAsync(overlay, default));
        }

        bed.Damage(overlay, ImageHealth.Corrupt);
        Assert.Equal(ImageHealth.Corrupt, await bed.Storage.ExamineAsync(overlay, default));
    }

    [Fact]
    public async Task Clusters_that_nothing_uses_are_given_back_and_the_image_does_not_seem_written()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        bed.WriteInto(overlay, backing);
        bed.Damage(overlay, ImageHealth.Leaking);
        var before = (await bed.Storage.ObserveFilesAsync([overlay.Path], default))[overlay.Path].ModifiedAt;
        Assert.Equal(ImageHealth.Leaking, await bed.Storage.ExamineAsync(overlay, default));
        var repair = bed.Storage.RepairLeaks(overlay);
        Assert.Null((await ApplyAsync(bed, repair)).Warning);
        Assert.Null((await ApplyAsync(bed, repair)).Warning);
        Assert.Equal(ImageHealth.Sound, await bed.Storage.ExamineAsync(overlay, default));
        Assert.Equal(before, (await bed.Storage.ObserveFilesAsync([overlay.Path], default))[overlay.Path].ModifiedAt);
    }

    [Fact]
    public async Task An_image_that_somebody_uses_or_that_has_another_name_is_not_mended_and_that_is_told()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        bed.WriteInto(overlay, backing);
        await using (bed.Use(overlay))
        {
            Assert.NotNull((await ApplyAsync(bed, bed.Storage.RepairLeaks(overlay))).Warning);
        }

        bed.Damage(overlay, ImageHealth.Leaking);
        bed.NewNameOf(overlay.Path);
        Assert.NotNull((await ApplyAsync(bed, bed.Storage.RepairLeaks(overlay))).Warning);
        Assert.Equal(ImageHealth.Leaking, await bed.Storage.ExamineAsync(overlay, default));
    }

    [Fact]
    public async Task Two_disks_differ_where_one_of_them_was_written_and_are_read_while_somebody_writes()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        Assert.Equal(0, (await bed.Storage.CompareAsync([backing], [overlay, backing], default)).Count);
        bed.WriteInto(overlay, backing);
        await using (bed.Use(overlay))
        {
            var difference = await bed.Storage.CompareAsync([backing], [overlay, backing], default);
            Assert.Equal(difference.Changed.Bytes, Assert.Single(difference.Ranges).Length);
            Assert.True(difference.Changed.Bytes > 0);
            Assert.Equal(0, (await bed.Storage.CompareAsync([overlay, backing], [overlay, backing], default)).Count);
        }
    }

    [Fact]
    public async Task The_digest_of_a_layer_is_of_what_it_holds_and_not_of_its_file()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var empty = await bed.Storage.DigestAsync(overlay, default);
        bed.WriteInto(overlay, backing);
        var written = await bed.Storage.DigestAsync(overlay, default);
        Assert.NotEqual(empty, written);
        var inside = Inside(overlay, "then.0000abcd");
        await ApplyAsync(bed, bed.Storage.CreateInternal(inside));
        Assert.Equal(written, await bed.Storage.DigestAsync(overlay, default));
        Assert.Equal(written, await bed.Storage.DigestAsync(inside, default));
        await ApplyAsync(bed, bed.Storage.RemoveInternal(inside));
        Assert.Equal(written, await bed.Storage.DigestAsync(overlay, default));
    }
}
