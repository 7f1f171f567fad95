using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>Second names of files, which forks share (R176).</summary>
public abstract partial class StorageContract
{
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
    public async Task A_frozen_file_gets_a_second_name_and_loses_it_again_R176()
    {
        await using var bed = Open();
        var (overlay, _, making) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, making);
        var place = await bed.Storage.FindPlaceAsync(bed.Folder, overlay, default);
        Assert.True(place.TakesLink);
        Assert.True(await bed.Storage.CanLinkAsync(overlay.Path, place.Folder, default));
        Assert.False(await bed.Storage.CanLinkAsync(bed.NewPath(), place.Folder, default));
        var name = $"{place.Folder}/{Path.GetFileName(overlay.Path)}";
        var link = bed.Storage.Link(overlay.Path, name);
        await UndoTwiceAsync(bed, link);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(link, Context(bed), default));
        for (var time = 0; time < 2; time++)
        {
            await ApplyAsync(bed, link);
            Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(link, Context(bed), default));
        }

        var files = await bed.Storage.ObserveFilesAsync([overlay.Path, name], default);
        Assert.Equal((files[overlay.Path], 2), (files[name], files[name].Links));
        await UndoTwiceAsync(bed, link);
        Assert.False(bed.Exists(name));
        Assert.True(bed.Exists(overlay.Path));

        // Whoever goes last takes the file with it.
        await ApplyAsync(bed, link);
        await ApplyAsync(bed, bed.Storage.Remove(overlay.Path, default));
        Assert.True(bed.Exists(name));

        // And what is taken back is never the last name.
        await UndoTwiceAsync(bed, link);
        Assert.True(bed.Exists(name));
    }

    [Fact]
    public async Task A_second_name_takes_no_other_files_place_and_needs_a_file()
    {
        await using var bed = Open();
        var (image, other) = (bed.NewDisk().Source!, bed.NewDisk().Source!);
        var link = bed.Storage.Link(image, other);
        Assert.Equal(ErrorKind.AlreadyExists, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, link))).Kind);
        await UndoTwiceAsync(bed, link);
        Assert.True(bed.Exists(other));
        await Assert.ThrowsAnyAsync<Exception>(() => ApplyAsync(bed, bed.Storage.Link(bed.NewPath(), bed.NewPath())));
    }

    [Fact]
    public async Task What_a_user_brought_is_not_linked_and_a_fork_goes_on_beside_it()
    {
        await using var bed = Open();
        var image = Assert.Single(await bed.Storage.DiscoverAsync(bed.NewDisk(), default));
        Assert.Equal(new SharedPlace(bed.Folder.Images(image.Disk), TakesLink: false), await bed.Storage.FindPlaceAsync(bed.Folder, image, default));
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
}
