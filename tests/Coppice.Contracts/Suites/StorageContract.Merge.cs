using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>What merges need of a storage (R197–R200).</summary>
public abstract partial class StorageContract
{
    [Fact]
    public async Task A_layer_is_let_build_on_another_image_and_that_is_taken_back()
    {
        await using var bed = Open();
        var (lower, upper, top) = await StackAsync(bed);
        var step = bed.Storage.Relink(top, from: upper, to: lower);
        await UndoTwiceAsync(bed, step);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await ApplyAsync(bed, step);
        await ApplyAsync(bed, step);
        Assert.Equal(StepOutcome.Done, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([top, lower], default);
        await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.CheckAsync([top, upper, lower], default));
        await UndoTwiceAsync(bed, step);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([top, upper, lower], default);
    }

    [Fact]
    public async Task A_layer_that_domains_share_or_that_is_in_use_or_builds_on_something_else_is_not_let_build_on_another_image()
    {
        await using var bed = Open();
        var (lower, upper, top) = await StackAsync(bed);
        var step = bed.Storage.Relink(top, from: upper, to: lower);
        await using (bed.Use(top))
        {
            await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step));
        }

        var elsewhere = bed.Storage.Relink(top, from: lower with { Path = bed.NewPath() }, to: lower);
        Assert.Equal(ErrorKind.Damaged, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, elsewhere))).Kind);
        bed.NewNameOf(top.Path);
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, step))).Kind);
        Assert.Equal(StepOutcome.NotDone, await bed.Storage.ProbeAsync(step, Context(bed), default));
        await bed.Storage.CheckAsync([top, upper, lower], default);
    }

    [Fact]
    public async Task A_commit_costs_what_the_upper_layer_has_and_a_stream_what_it_lacks()
    {
        await using var bed = Open();
        var (_, upper, top) = await StackAsync(bed);
        Assert.Equal(new MergeCost(default, default), await bed.Storage.MeasureMergeAsync(upper, top, default));
        bed.WriteInto(upper, upper);
        var streamed = await bed.Storage.MeasureMergeAsync(upper, top, default);
        Assert.True(streamed is { Commit.Bytes: 0, Stream.Bytes: > 0 }, $"{streamed}");
        bed.WriteInto(top, upper);
        Assert.Equal(new MergeCost(Commit: streamed.Stream, Stream: default), await bed.Storage.MeasureMergeAsync(upper, top, default));
        await using (bed.Use(top))
        {
            Assert.Equal(streamed.Stream, (await bed.Storage.MeasureMergeAsync(upper, top, default)).Commit);
        }

        var missing = upper with { Path = bed.NewPath() };
        Assert.Equal(
            ErrorKind.NotFound,
            (await Assert.ThrowsAsync<CoppiceException>(() => bed.Storage.MeasureMergeAsync(missing, top, default))).Kind);
    }

    /// <summary>An image of a user, a layer on it, and one on that.</summary>
    private static async Task<(Layer Lower, Layer Upper, Layer Top)> StackAsync(IStorageBed bed)
    {
        var (upper, lower, step) = await NewOverlayAsync(bed);
        await ApplyAsync(bed, step);
        var top = upper with { Id = new ShortId("aabbccee"), Path = bed.NewPath(), Parent = upper.Id };
        await ApplyAsync(bed, bed.Storage.CreateOverlay(top, upper));
        return (lower, upper, top);
    }
}
