using Coppice.Core;
using Xunit;

namespace Coppice.Contracts;

/// <summary>Disks that are copied while their guest goes on (virsh blockcopy, blockcommit --active).</summary>
public abstract partial class HypervisorContract
{
    [Theory]
    [InlineData(MirrorKind.Whole, false)]
    [InlineData(MirrorKind.Whole, true)]
    [InlineData(MirrorKind.Shallow, false)]
    [InlineData(MirrorKind.Commit, false)]
    public async Task A_guest_goes_over_to_the_copy_of_its_disk_and_lets_go_of_the_image_it_was_on(MirrorKind kind, bool synchronous)
    {
        await using var bed = Open();
        var chain = Stack(bed, 2);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var mirror = MirrorOf(bed, kind, chain) with { Pace = new MirrorPace { Synchronous = synchronous } };
        var (begin, (end, letGo)) = (bed.Hypervisor.BeginMirror(process, mirror), bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot));
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, begin));
        await ApplyAsync(bed, begin);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, begin));
        await ApplyAsync(bed, begin);
        await ReadyAsync(bed, process);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, end));
        Assert.Equal(before, bed.Read(chain));

        await ApplyAsync(bed, end);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, end));
        await ApplyAsync(bed, end);
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Layer[] now = kind switch
        {
            MirrorKind.Whole => [mirror.Target],
            MirrorKind.Shallow => [mirror.Target, .. chain[1..]],
            _ => [chain[2]],
        };
        Assert.Equal(before, bed.Read(now));
        Assert.Equal(mirror.Target.Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
        await CountingAsync(bed, process);
        await ApplyAsync(bed, letGo);
        await ApplyAsync(bed, letGo);

        var next = bed.NewOverlay(mirror.Target);
        await ApplyAsync(bed, bed.Hypervisor.Checkpoint(new CheckpointRequest(
            process, DomainState.Running, bed.NewMemory(), [new DiskSwitch("vda", mirror.Target, next)], default)));
        await CountingAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        await LaunchAsync(bed, MemoryImage.None, [next, .. now]);
    }

    [Theory]
    [InlineData(MirrorKind.Whole)]
    [InlineData(MirrorKind.Shallow)]
    public async Task A_copy_that_is_kept_has_the_disk_as_it_was_then_and_the_guest_stays_where_it_is(MirrorKind kind)
    {
        await using var bed = Open();
        var chain = Stack(bed, 2);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var mirror = MirrorOf(bed, kind, chain);
        var (end, letGo) = bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Keep);
        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        await ReadyAsync(bed, process);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, end));
        await ApplyAsync(bed, end);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, end));
        await ApplyAsync(bed, end);
        Assert.Equal(before, kind is MirrorKind.Whole ? bed.Read(mirror.Target) : bed.Read([mirror.Target, .. chain[1..]]));
        Assert.Equal(before, bed.Read(chain));
        Assert.Equal(chain[0].Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);
        await CountingAsync(bed, process);
        await bed.KillAsync(process);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, end));
        await ApplyAsync(bed, letGo);
    }

    [Theory]
    [InlineData(MirrorKind.Whole)]
    [InlineData(MirrorKind.Shallow)]
    [InlineData(MirrorKind.Commit)]
    public async Task A_copy_that_is_given_up_leaves_the_guest_where_it_is_and_can_be_begun_again(MirrorKind kind)
    {
        await using var bed = Open();
        var chain = Stack(bed, 2);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var mirror = MirrorOf(bed, kind, chain);
        var discard = bed.Hypervisor.DiscardMirror(process, mirror);
        await ApplyAsync(bed, discard);
        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, discard);
        await ApplyAsync(bed, discard);
        await UndoTwiceAsync(bed, discard);
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Equal(before, bed.Read(chain));
        Assert.Equal(chain[0].Path, (await ObserveAsync(bed, process)).ActiveImages["vda"]);

        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot).Switch);
        await CountingAsync(bed, process);
    }

    [Fact]
    public async Task A_copy_that_is_not_ready_does_not_end_and_nothing_changes()
    {
        await using var bed = Open();
        var chain = Stack(bed, 1);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var mirror = MirrorOf(bed, MirrorKind.Whole, chain);
        var (end, _) = bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot);
        Assert.Equal(ErrorKind.WrongState, (await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, end))).Kind);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, end));
        Assert.Equal(before, bed.Read(chain));
        await CountingAsync(bed, process);
    }

    [Theory]
    [InlineData(MirrorKind.Whole)]
    [InlineData(MirrorKind.Commit)]
    public async Task A_process_that_dies_takes_its_copy_with_it_and_the_disk_is_where_it_was(MirrorKind kind)
    {
        await using var bed = Open();
        var chain = Stack(bed, 2);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var mirror = MirrorOf(bed, kind, chain);
        var (begin, (end, letGo)) = (bed.Hypervisor.BeginMirror(process, mirror), bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot));
        await ApplyAsync(bed, begin);
        await ReadyAsync(bed, process);
        await bed.KillAsync(process);
        Assert.Equal(MergeState.Gone, (await ObserveMergeAsync(bed, process)).State);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, begin));
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, end));
        await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, end));
        await ApplyAsync(bed, bed.Hypervisor.DiscardMirror(process, mirror));
        Assert.Equal(before, bed.Read(chain));
        await LaunchAsync(bed, MemoryImage.None, chain);
    }

    [Fact]
    public async Task That_a_guest_has_gone_over_is_known_also_when_its_process_was_ended_since()
    {
        await using var bed = Open();
        var chain = Stack(bed, 1);
        var (process, before) = (await StartAsync(bed, chain), bed.Read(chain));
        var mirror = MirrorOf(bed, MirrorKind.Whole, chain);
        var (end, letGo) = bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot);
        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, end);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, end));
        await ApplyAsync(bed, letGo);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, end));
        Assert.Equal(before, bed.Read(mirror.Target));
    }

    [Fact]
    public async Task A_guest_that_stands_still_goes_over_too()
    {
        await using var bed = Open();
        var chain = Stack(bed, 1);
        var process = await StartAsync(bed, chain);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Pause));
        var mirror = MirrorOf(bed, MirrorKind.Whole, chain);
        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        await ReadyAsync(bed, process);
        await ApplyAsync(bed, bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot).Switch);
        Assert.Equal(DomainState.Paused, (await ObserveAsync(bed, process)).State);
        await ApplyAsync(bed, bed.Hypervisor.Signal(process, DomainSignal.Resume));
        await CountingAsync(bed, process);
    }

    private static MirrorRequest MirrorOf(IHypervisorBed bed, MirrorKind kind, Layer[] chain)
    {
        var target = kind switch
        {
            MirrorKind.Whole => bed.NewImage() with { Disk = "vda", Origin = LayerOrigin.Coppice },
            MirrorKind.Shallow => bed.NewOverlay(chain[1]),
            _ => chain[2],
        };
        return new MirrorRequest(s_job, "vda", [.. chain], target, kind);
    }
}
