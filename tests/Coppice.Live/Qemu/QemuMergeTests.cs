using System.Text.Json;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using Coppice.Live.Cli;
using Coppice.Live.Storage;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Qemu;

/// <summary>What QEMU does to images when it merges them, and what is left when it is killed meanwhile (R197, R198).</summary>
public sealed class QemuMergeTests
{
    private static readonly ShortId s_job = new("f00dcafe");

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task All_that_was_copied_is_in_the_file_before_a_header_says_so(MergeDirection direction)
    {
        // QEMU itself changes the header first, and a kill before it has written its own tables would lose data.
        for (var failing = 1; failing <= 3; failing++)
        {
            await using var bed = new QemuBed();
            var (chain, before, merge, process) = await ReadyAsync(bed, direction);
            var (kept, merged) = Merged(chain, direction);
            var flushes = 0;
            FileActs.Observer = (act, path) =>
                _ = (act, path) == (FileAct.Flush, kept.Path) && ++flushes == failing ? throw new IOException() : 0;
            try
            {
                await Assert.ThrowsAsync<IOException>(() => ApplyAsync(bed, bed.Hypervisor.FinishMerge(process, merge)));
            }
            finally
            {
                FileActs.Observer = null;
            }

            await bed.KillAsync(process);
            var isLinked = failing == 3;
            Assert.Equal(isLinked ? merged : chain, Linked(bed, chain));
            Assert.Equal(before, ImageContent.Read([.. Linked(bed, chain)]));
            var outcome = await ProbeAsync(bed, bed.Hypervisor.FinishMerge(process, merge));
            Assert.Equal(isLinked ? StepOutcome.Done : StepOutcome.NotDone, outcome);
            if (failing > 1)
            {
                Assert.Equal(before, ImageContent.Read([.. merged]));
            }
        }
    }

    [Fact]
    public async Task QEMU_killed_at_any_moment_of_a_merge_leaves_images_that_are_sound_and_read_as_before()
    {
        var random = new Random(4);
        foreach (var direction in Enumerable.Repeat(Enum.GetValues<MergeDirection>(), 2).SelectMany(d => d))
        {
            await using var bed = new QemuBed();
            var chain = Stack(bed);
            var (before, process) = (ImageContent.Read([.. chain]), bed.NewProcess());
            var merge = RequestOf(chain, direction);
            await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless: true));
            await Task.WhenAll(KillAfterAsync(bed, process, random.Next(40)), FinishOrFailAsync(bed, process, merge));

            var left = Linked(bed, chain);
            Assert.Equal(before, ImageContent.Read([.. left]));
            Assert.All(left.Where(l => l.Format is Coppice.Core.ImageFormat.Qcow2), ImageContent.RequireSound);
            if (left.Length == chain.Length)
            {
                await MergeAsync(bed, bed.NewProcess(), merge);
                Assert.Equal(before, ImageContent.Read([.. Linked(bed, chain)]));
            }
        }
    }

    [Fact]
    public async Task What_was_finished_without_a_guest_is_known_also_when_the_process_has_died()
    {
        await using var bed = new QemuBed();
        var (chain, process) = (Stack(bed)[1..], bed.NewProcess());
        var merge = RequestOf([.. chain], MergeDirection.Commit);
        await MergeAsync(bed, process, merge);
        Assert.False(bed.Hypervisor.HasEnded(bed.Folder, process));
        await bed.KillAsync(process);
        Assert.Equal(StepOutcome.Done, await ProbeAsync(bed, bed.Hypervisor.FinishMerge(process, merge)));
        await ApplyAsync(bed, bed.Hypervisor.FinishMerge(process, merge));
    }

    [Theory]
    [InlineData(MergeDirection.Commit, false)]
    [InlineData(MergeDirection.Stream, false)]
    [InlineData(MergeDirection.Commit, true)]
    [InlineData(MergeDirection.Stream, true)]
    public async Task Dirty_bitmaps_of_others_move_to_the_image_that_stays(MergeDirection direction, bool runs)
    {
        await using var bed = new QemuBed();
        var chain = Stack(bed);
        var kept = Merged(chain, direction).Kept;
        var gone = chain[direction is MergeDirection.Commit ? 1 : 2];
        foreach (var (layer, bitmap) in new[] { (gone, "daily"), (gone, "both"), (kept, "both"), (kept, "own") })
        {
            ImageContent.Run("qemu-img", "bitmap", "-f", "qcow2", "--add", layer.Path, bitmap);
        }

        ImageContent.Write(gone, "write 512k 64k");
        ImageContent.Write(kept, "write 640k 64k");
        var process = runs ? await bed.StartAsync([.. chain], MemoryImage.None) : bed.NewProcess();
        await MergeAsync(bed, process, RequestOf(chain, direction), guestless: !runs);
        var bitmaps = await BitmapsAsync(bed, process, kept);
        Assert.Equal(64 << 10, bitmaps["daily"].Dirty);
        Assert.Equal(direction is MergeDirection.Commit, bitmaps["daily"].Records);
        Assert.InRange(bitmaps["both"].Dirty, 128 << 10, 1 << 20);
        Assert.True(bitmaps["both"].Records);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
        Assert.Equal(["both", "daily", "own"], Stored(kept));
        ImageContent.RequireSound(kept);
    }

    [Fact]
    public async Task A_raw_image_keeps_no_bitmaps_and_that_is_told()
    {
        await using var bed = new QemuBed();
        var upper = bed.NewOverlay(bed.Base);
        ImageContent.Run("qemu-img", "bitmap", "-f", "qcow2", "--add", upper.Path, "daily");
        var process = bed.NewProcess();
        var merge = new MergeRequest(s_job, [upper, bed.Base], bed.Base.Id, upper.Id, MergeDirection.Commit);
        await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless: true));
        await ReadyAsync(bed, process);
        var report = await ApplyAsync(bed, bed.Hypervisor.FinishMerge(process, merge));
        Assert.Contains("'daily'", report.Warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Zeros_take_no_room_and_a_lower_image_that_is_smaller_grows()
    {
        await using var bed = new QemuBed();
        var lower = bed.NewOverlay(bed.Base);
        ImageContent.Write(lower, "write -P 7 64k 512k");
        var upper = bed.NewOverlay(lower);
        ImageContent.Run("qemu-img", "resize", "-q", "-f", "qcow2", upper.Path, "8M");
        ImageContent.Write(upper, "write -z 0 1M", "write -P 9 3M 64k");
        var top = bed.NewOverlay(upper);
        Layer[] chain = [top, upper, lower, bed.Base];
        var (before, allocated) = (ImageContent.Read([.. chain]), FileSystem.Look(lower.Path)!.AllocatedBytes);
        await MergeAsync(bed, bed.NewProcess(), RequestOf(chain, MergeDirection.Commit));
        Assert.Equal(before, ImageContent.Read(top, lower, bed.Base));
        Assert.Equal(8 << 20, VirtualSize.Of(lower.Path, Coppice.Images.ImageFormat.Qcow2));
        Assert.InRange(FileSystem.Look(lower.Path)!.AllocatedBytes, 0, allocated + (256 << 10));
        ImageContent.RequireSound(lower);
    }

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task A_disk_that_is_full_is_told_and_nothing_is_lost(MergeDirection direction)
    {
        await using var bed = new QemuBed();
        await using var small = await SmallDisk.MountAsync($"{bed.Home.Path}/small", "1M");
        Assert.SkipWhen(small is null, "no file system can be mounted here");
        var chain = Stack(bed);
        var kept = Merged(chain, direction).Kept;
        File.Move(kept.Path, $"{bed.Home.Path}/small/kept");
        File.CreateSymbolicLink(kept.Path, $"{bed.Home.Path}/small/kept");
        await using (var filler = File.Create($"{bed.Home.Path}/small/filler"))
        {
            Fill(filler);
        }

        var (before, process) = (ImageContent.Read([.. chain]), bed.NewProcess());
        await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, RequestOf(chain, direction), guestless: true));
        var found = await CopiedAsync(bed, process);
        Assert.Equal((MergeState.Failed, "no space is left on the file system"), (found.State, found.Error));
        File.Delete($"{bed.Home.Path}/small/filler");
        await MergeAsync(bed, process, RequestOf(chain, direction));
        Assert.Equal(before, ImageContent.Read([.. Linked(bed, chain)]));
        Assert.Equal(chain.Length - 1, Linked(bed, chain).Length);
        await ApplyAsync(bed, bed.Hypervisor.End(process));
    }

    [Fact]
    public async Task A_merge_of_layers_that_another_process_writes_is_not_begun_and_that_is_told()
    {
        await using var bed = new QemuBed();
        var (chain, process) = (Stack(bed), bed.NewProcess());
        await bed.StartAsync([.. chain], MemoryImage.None);
        var report = await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, RequestOf(chain, MergeDirection.Stream), guestless: true));
        Assert.Contains("in use", report.Warning, StringComparison.Ordinal);
        Assert.False(Directory.Exists(RunFolder.Of(bed.Home, process).Path));
    }

    /// <summary>A top, an upper and a lower layer on the image of the disk; there is something to copy in both directions.</summary>
    private static Layer[] Stack(QemuBed bed)
    {
        var lower = bed.NewOverlay(bed.Base);
        ImageContent.Write(lower, "write -P 1 64k 256k", "write -P 2 512k 64k");
        var upper = bed.NewOverlay(lower);
        ImageContent.Write(upper, "write -P 3 128k 128k", "write -P 4 640k 128k");
        var top = bed.NewOverlay(upper);
        ImageContent.Write(top, "write -P 5 704k 32k");
        return [top, upper, lower, bed.Base];
    }

    private static MergeRequest RequestOf(Layer[] chain, MergeDirection direction) =>
        new(s_job, [.. chain], Lower: chain[^2].Id, Upper: chain[^3].Id, direction);

    private static (Layer Kept, Layer[] Merged) Merged(Layer[] chain, MergeDirection direction) => direction is MergeDirection.Commit
        ? (chain[2], [chain[0], chain[2], chain[3]])
        : (chain[1], [chain[0], chain[1], chain[3]]);

    /// <summary>The chain as the headers have it.</summary>
    private static Layer[] Linked(QemuBed bed, Layer[] chain)
    {
        List<Layer> linked = [];
        for (var path = chain[0].Path; path is not null; path = bed.BackingOf(linked[^1]))
        {
            linked.Add(chain.Single(l => l.Path == path));
        }

        return [.. linked];
    }

    private static async Task<(Layer[] Chain, byte[] Before, MergeRequest Merge, ShortId Process)> ReadyAsync(
        QemuBed bed, MergeDirection direction)
    {
        var (chain, process) = (Stack(bed), bed.NewProcess());
        var (before, merge) = (ImageContent.Read([.. chain]), RequestOf(chain, direction));
        await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless: true));
        await ReadyAsync(bed, process);
        return (chain, before, merge, process);
    }

    private static async Task ReadyAsync(QemuBed bed, ShortId process)
    {
        var found = await CopiedAsync(bed, process);
        Assert.Equal((MergeState.Ready, null), (found.State, found.Error));
    }

    /// <summary>Waits until it copies no more, for whatever reason.</summary>
    private static async Task<MergeObservation> CopiedAsync(QemuBed bed, ShortId process)
    {
        MergeObservation found;
        while ((found = await ObserveAsync(bed, process)).State is MergeState.Running)
        {
            await bed.WaitAsync();
        }

        return found;
    }

    private static Task<MergeObservation> ObserveAsync(QemuBed bed, ShortId process) =>
        bed.Hypervisor.ObserveMergeAsync(bed.Folder, process, s_job, QemuBed.Cancellation);

    private static async Task KillAfterAsync(QemuBed bed, ShortId process, int milliseconds)
    {
        await Task.Delay(milliseconds, QemuBed.Cancellation);
        await bed.KillAsync(process);
    }

    private static async Task MergeAsync(QemuBed bed, ShortId process, MergeRequest merge, bool guestless = true)
    {
        Assert.Null((await ApplyAsync(bed, bed.Hypervisor.BeginMerge(process, merge, guestless))).Warning);
        await ReadyAsync(bed, process);
        Assert.Null((await ApplyAsync(bed, bed.Hypervisor.FinishMerge(process, merge))).Warning);
    }

    /// <summary>Finishes a merge whose process is killed at some moment.</summary>
    private static async Task FinishOrFailAsync(QemuBed bed, ShortId process, MergeRequest merge)
    {
        try
        {
            while ((await ObserveAsync(bed, process)).State is MergeState.Running)
            {
            }

            await ApplyAsync(bed, bed.Hypervisor.FinishMerge(process, merge));
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

    /// <summary>The bitmaps of a layer as the process has them: how much each has marked, and whether it goes on.</summary>
    private static async Task<Dictionary<string, (long Dirty, bool Records)>> BitmapsAsync(QemuBed bed, ShortId process, Layer layer)
    {
        await using var machine = await Machine.ConnectAsync(RunFolder.Of(bed.Home, process), TimeProvider.System, QemuBed.Cancellation);
        var nodes = await machine!.Qmp.ExecuteAsync("query-named-block-nodes", null, QemuBed.Cancellation);
        var node = nodes.EnumerateArray().Single(n => n.GetProperty("node-name").GetString() == BlockNodes.NameOf(layer.Id));
        return node.GetProperty("dirty-bitmaps").EnumerateArray().ToDictionary(
            b => b.GetProperty("name").GetString()!, b => (b.GetProperty("count").GetInt64(), b.GetProperty("recording").GetBoolean()));
    }

    private static IEnumerable<string> Stored(Layer layer) =>
        JsonDocument.Parse(ImageContent.Run("qemu-img", "info", "--output=json", "-f", "qcow2", layer.Path)).RootElement
            .GetProperty("format-specific").GetProperty("data").GetProperty("bitmaps").EnumerateArray()
            .Select(b => b.GetProperty("name").GetString()!).Order(StringComparer.Ordinal);

    private static void Fill(FileStream file)
    {
        try
        {
            while (true)
            {
                file.Write(new byte[4096]);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }
}
