using Coppice.Core;
using Coppice.Live.Storage;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

/// <summary>What is left when QEMU, or whoever tells it, is killed while a guest goes over to the copy of its disk.</summary>
public sealed class QemuMirrorTests
{
    private static readonly ShortId s_job = new("f00dcafe");

    [Theory]
    [InlineData(false, false, StepOutcome.NotDone)]
    [InlineData(true, false, StepOutcome.NotDone)]
    [InlineData(true, true, StepOutcome.Done)]
    public async Task QEMU_killed_while_both_images_are_the_same_counts_as_gone_over_only_if_that_was_noted(bool settles, bool notes, StepOutcome expected)
    {
        await using var bed = new QemuBed();
        var (chain, before, mirror, process) = await ReadyAsync(bed);
        var folder = RunFolder.Of(bed.Home, process);
        await File.WriteAllBytesAsync(folder.Told(s_job), [], QemuBed.Cancellation);
        if (settles)
        {
            await SettleAsync(bed, process, mirror);
            Assert.Equal(before, ImageContent.Read(mirror.Target));
        }

        if (notes)
        {
            await File.WriteAllBytesAsync(Noted(bed), [], QemuBed.Cancellation);
        }

        await bed.KillAsync(process);
        Assert.Equal(expected, await ProbeAsync(bed, bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot).Switch));
        Assert.Equal(before, ImageContent.Read([.. chain]));
        ImageContent.RequireSound(mirror.Target);
    }

    [Theory]
    [InlineData(MirrorEnd.Pivot, false)]
    [InlineData(MirrorEnd.Pivot, true)]
    [InlineData(MirrorEnd.Keep, false)]
    [InlineData(MirrorEnd.Keep, true)]
    public async Task What_was_told_to_end_by_somebody_who_died_is_brought_to_its_end_and_the_guest_goes_on(MirrorEnd end, bool settles)
    {
        await using var bed = new QemuBed();
        var (chain, before, mirror, process) = await ReadyAsync(bed);
        await File.WriteAllBytesAsync(RunFolder.Of(bed.Home, process).Told(s_job), [], QemuBed.Cancellation);
        if (settles && end is MirrorEnd.Pivot)
        {
            await SettleAsync(bed, process, mirror);
        }

        var step = bed.Hypervisor.EndMirror(process, mirror, end).Switch;
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, step));
        var now = end is MirrorEnd.Pivot ? mirror.Target : chain[0];
        Assert.Equal(now.Path, (await bed.ObserveAsync(process)).ActiveImages["vda"]);
        await bed.CountingAsync(process);
        Assert.Equal(before, ImageContent.Read(mirror.Target));
    }

    [Fact]
    public async Task A_copy_that_settles_and_is_given_up_leaves_the_guest_where_it_was()
    {
        await using var bed = new QemuBed();
        var (chain, before, mirror, process) = await ReadyAsync(bed);
        await SettleAsync(bed, process, mirror);
        await File.WriteAllBytesAsync(Noted(bed), [], QemuBed.Cancellation);
        await ApplyAsync(bed, bed.Hypervisor.DiscardMirror(process, mirror));
        await bed.CountingAsync(process);
        await bed.KillAsync(process);
        Assert.Equal(StepOutcome.NotDone, await ProbeAsync(bed, bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot).Switch));
        Assert.Equal(before, ImageContent.Read([.. chain]));
    }

    [Fact]
    public async Task QEMU_killed_at_any_moment_of_a_copy_leaves_the_disk_whole_on_one_side()
    {
        var random = new Random(4);
        for (var time = 0; time < 6; time++)
        {
            await using var bed = new QemuBed();
            var (chain, before, mirror, process) = await ReadyAsync(bed);
            var end = bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot).Switch;
            await Task.WhenAll(KillAfterAsync(bed, process, random.Next(30)), EndOrFailAsync(bed, end));
            var outcome = await ProbeAsync(bed, end);
            Assert.Equal(before, outcome is StepOutcome.Done ? ImageContent.Read(mirror.Target) : ImageContent.Read([.. chain]));
            Assert.All([mirror.Target, chain[0]], ImageContent.RequireSound);
        }
    }

    [Fact]
    public async Task An_image_that_another_program_has_open_is_not_copied_into()
    {
        await using var bed = new QemuBed();
        var (_, _, mirror, _) = await ReadyAsync(bed);
        var copy = bed.NewCopy();
        var other = await bed.StartAsync([copy], MemoryImage.None);
        var error = await Assert.ThrowsAsync<CoppiceException>(() => ApplyAsync(bed, bed.Hypervisor.BeginMirror(other, mirror with { Chain = [copy] })));
        Assert.Contains(mirror.Target.Path, error.Message, StringComparison.Ordinal);
        await bed.CountingAsync(other);
    }

    [Fact]
    public async Task Dirty_bitmaps_of_others_move_with_the_guest()
    {
        await using var bed = new QemuBed();
        var top = bed.NewOverlay(bed.Base);
        ImageContent.Run("qemu-img", "bitmap", "-f", "qcow2", "--add", top.Path, "daily");
        ImageContent.Write(top, "write 512k 64k");
        var process = await bed.StartAsync([top, bed.Base], MemoryImage.None);
        var mirror = new MirrorRequest(s_job, "vda", [top, bed.Base], Target(bed), MirrorKind.Whole);
        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        await CopiedAsync(bed, process);
        Assert.Null((await ApplyAsync(bed, bed.Hypervisor.EndMirror(process, mirror, MirrorEnd.Pivot).Switch)).Warning);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        Assert.Contains("daily", ImageContent.Run("qemu-img", "info", "-f", "qcow2", mirror.Target.Path), StringComparison.Ordinal);
    }

    /// <summary>Where it is noted that a copy has ended.</summary>
    private static string Noted(QemuBed bed) => $"{bed.Folder.Path}/mirrored.{s_job}";

    private static Layer Target(QemuBed bed) => bed.NewImage() with { Disk = "vda", Origin = LayerOrigin.Coppice };

    private static async Task<(Layer[] Chain, byte[] Before, MirrorRequest Mirror, ShortId Process)> ReadyAsync(QemuBed bed)
    {
        var top = bed.NewOverlay(bed.Base);
        ImageContent.Write(top, "write -P 5 512k 128k");
        Layer[] chain = [top, bed.Base];
        var (before, process) = (ImageContent.Read(chain), await bed.StartAsync([.. chain], MemoryImage.None));
        var mirror = new MirrorRequest(s_job, "vda", [.. chain], Target(bed), MirrorKind.Whole);
        await ApplyAsync(bed, bed.Hypervisor.BeginMirror(process, mirror));
        Assert.Equal(MergeState.Ready, (await CopiedAsync(bed, process)).State);
        return (chain, before, mirror, process);
    }

    private static async Task SettleAsync(QemuBed bed, ShortId process, MirrorRequest mirror)
    {
        await using var machine = await Machine.ConnectAsync(RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation);
        await MirrorJobs.SettleAsync(machine!.Qmp, mirror, MirrorEnd.Pivot, TimeProvider.System);
    }

    private static async Task<MergeObservation> CopiedAsync(QemuBed bed, ShortId process)
    {
        MergeObservation found;
        while ((found = await bed.Hypervisor.ObserveMergeAsync(bed.Folder, process, s_job, QemuBed.Cancellation)).State is MergeState.Running)
        {
            await bed.WaitAsync();
        }

        return found;
    }

    private static async Task KillAfterAsync(QemuBed bed, ShortId process, int milliseconds)
    {
        await Task.Delay(milliseconds, QemuBed.Cancellation);
        await bed.KillAsync(process);
    }

    private static async Task EndOrFailAsync(QemuBed bed, Step end)
    {
        try
        {
            await ApplyAsync(bed, end);
        }
        catch (CoppiceException)
        {
            // It was killed before it was done.
        }
    }

    private static Task<StepReport> ApplyAsync(QemuBed bed, Step step) =>
        bed.Hypervisor.ApplyAsync(step, bed.Context(), QemuBed.Cancellation);

    private static Task<StepOutcome> ProbeAsync(QemuBed bed, Step step) =>
        bed.Hypervisor.ProbeAsync(step, bed.Context(), QemuBed.Cancellation);
}
