using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What is inside images: snapshots that are made, observed, copied out and removed.</summary>
public abstract partial class StorageContract
{
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
    public async Task What_is_inside_an_image_is_observed_whoever_made_it()
    {
        await using var bed = Open();
        var (overlay, _, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        Assert.Empty((await bed.Storage.ObserveAsync(bed.Folder, overlay, default)).Internals);
        await ApplyAsync(bed, bed.Storage.CreateInternal(Inside(overlay, "one, and more")));
        var found = Assert.Single((await bed.Storage.ObserveAsync(bed.Folder, overlay, default)).Internals);
        Assert.Equal(("one, and more", false, false), (found.Tag, found.HasMemory, found.WasRunning));
        Assert.Equal(overlay.VirtualSize, found.VirtualSize);
    }

    [Fact]
    public async Task An_internal_snapshot_keeps_what_the_disk_held_and_a_copy_of_it_is_a_disk_of_its_own()
    {
        await using var bed = Open();
        var (overlay, backing, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var (empty, written) = (Inside(overlay, "empty"), Inside(overlay, "written, by a guest"));
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

    private static Layer Inside(Layer holder, string tag) => holder with
    {
        Id = new ShortId($"a{tag.Length:x7}"), Inside = new InternalPlace(holder.Id, tag),
    };
}
