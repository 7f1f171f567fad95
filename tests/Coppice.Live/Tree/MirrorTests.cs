using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Cli;
using Coppice.Live.Witness;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Tree;

/// <summary>A disk moves while its guest writes to it, and the guest notices nothing.</summary>
public sealed class MirrorTests
{
    private const long Filled = 32L << 20, Length = 8L << 20;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_guest_that_writes_goes_over_to_the_copy_of_its_disk_and_all_snapshots_are_what_they_were(bool shallow)
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        var (sum, copy) = (0ul, Path.Combine(domain.Folder, "moved.qcow2"));
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.FillAsync("vda", Filled, Length, seed: 1);
            await domain.CreateAsync("one");
            await witness.FillAsync("vda", Filled + Length, Length, seed: 2);
            sum = await witness.ChecksumAsync("vda", Filled, 2 * Length);
            await witness.StartWritingAsync();
            var before = witness.LastAcked;
            await domain.RunAsync(new CopyDisk(LiveDomain.Name, "vda", copy) { Shallow = shallow, End = MirrorEnd.Pivot });
            await witness.WaitForAckAsync(Math.Max(before, witness.LastAcked) + 5);
            Assert.Equal(sum, await witness.ChecksumAsync("vda", Filled, 2 * Length));
        }

        var view = await domain.ShowAsync();
        Assert.Equal(copy, view.Hypervisor.ActiveImages["vda"]);
        Assert.Empty(view.Catalog.Mirrors);
        await domain.CreateAsync("two");
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        foreach (var name in new[] { "one", "two" })
        {
            await domain.RevertAsync(name, discard: true);
            await using var again = await domain.ConnectAsync();
            Assert.Equal(name == "two", sum == await again.ChecksumAsync("vda", Filled, 2 * Length));
            await VerifyAsync(again);
        }
    }

    [Fact]
    public async Task A_guest_that_writes_goes_over_to_the_image_below_and_no_layer_is_left()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        long acked;
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.StartWritingAsync();
            await witness.WaitForAckAsync(5);
            await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { DiskOnly = true, NoMetadata = true });
            await witness.WaitForAckAsync(witness.LastAcked + 5);
            await domain.RunAsync(new CommitDisk(LiveDomain.Name, "vda") { End = MirrorEnd.Pivot });
            await witness.WaitForAckAsync(witness.LastAcked + 5);
            acked = witness.LastAcked;
        }

        Assert.Equal(domain.ImagePath("vda"), (await domain.ShowAsync()).Hypervisor.ActiveImages["vda"]);
        await domain.KillQemuAsync();
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using var again = await domain.ConnectAsync();
        Assert.True((await again.ScanAsync("vda")).Highest >= acked);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task From_when_a_copy_is_told_to_end_until_it_has_the_guests_writes_wait()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await using var witness = await domain.ConnectAsync();
        await witness.StartWritingAsync();
        await domain.RunAsync(new CopyDisk(LiveDomain.Name, "vda", Path.Combine(domain.Folder, "moved.qcow2")));
        MirrorView found;
        while ((found = (await domain.Home.ReadMirrorsAsync(LiveDomain.Name, Cancellation)).Single()).Observation.State is not MergeState.Ready)
        {
            await Task.Delay(20, Cancellation);
        }

        var folder = RunFolder.Of(new HomeFolder(domain.HomePath), found.Mirror.Process);
        await using (var machine = await Machine.ConnectAsync(folder, TimeProvider.System, Cancellation))
        {
            await MergeJobs.SettleAsync(machine!.Qmp, found.Mirror.Id, TimeProvider.System, Cancellation);
        }

        // What was acknowledged before is on its way to whoever counts.
        await Task.Delay(500, Cancellation);
        var acked = witness.LastAcked;
        await Task.Delay(1000, Cancellation);
        Assert.Equal(acked, witness.LastAcked);
        await domain.RunAsync(new EndMirror(LiveDomain.Name, found.Mirror.Id.Value, MirrorEnd.Pivot));
        await witness.WaitForAckAsync(acked + 5);
        await VerifyAsync(witness);
    }

    [Fact]
    public async Task A_file_system_that_is_full_ends_the_copy_and_not_the_guest()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await using var witness = await domain.ConnectAsync();
        await witness.FillAsync("vda", Filled, Length, seed: 1);
        await witness.StartWritingAsync();
        var folder = Directory.CreateDirectory(Path.Combine(domain.Folder, "full")).FullName;
        await using var full = await SmallDisk.MountAsync(folder, "4m");
        Assert.SkipWhen(full is null, "only root can mount a small tmpfs");
        var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(
            new CopyDisk(LiveDomain.Name, "vda", $"{folder}/copy.qcow2") { End = MirrorEnd.Pivot }));
        Assert.Contains("no space is left", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder));
        await witness.WaitForAckAsync(witness.LastAcked + 5);
        Assert.Empty((await domain.ShowAsync()).Catalog.Mirrors);
        await domain.CreateAsync("after");
    }

    private static async Task VerifyAsync(WitnessClient witness)
    {
        await witness.VerifyAsync();
        Assert.Equal(0, (await witness.StatusAsync()).Bad);
    }
}
