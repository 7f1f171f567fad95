using Coppice.Contracts;
using Coppice.Core;
using Coppice.Files;
using Coppice.Live.Qemu;

namespace Coppice.Live.Tree;

/// <summary>Real guests whose RAM is a file that is cloned: a checkpoint, a revert and a fork do not wait for it.</summary>
public sealed class MappedTests
{
    private const string Copy = "copy";

    // As many snapshots of a guest that writes all the time as have room on the volume of the tests.
    private const int Kept = 30, Deep = 30;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Under_load_on_two_processors_disks_RAM_and_both_network_cards_are_of_one_instant(bool isNewer)
    {
        LiveVolume.Require();
        var qemu = isNewer ? QemuPrograms.Backports : QemuPrograms.Usual;
        QemuPrograms.Require(qemu);
        await using var domain = await LiveDomain.BootMappedAsync(qemu, GuestHardware.Usual);
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        var (random, verified) = (Sampling.Random(), 0);
        var names = new List<string>();
        for (var round = 0; round < (Sampling.Everything ? 100 : 6); round++)
        {
            names.Add($"round-{round}");
            var created = await domain.CreateAsync(names[^1]);
            Assert.Contains("external memory (mapped) + external vda, vdb", created.Plan.Mechanism, StringComparison.Ordinal);
            Assert.Contains("memory by a clone of the RAM file", created.Mechanism, StringComparison.Ordinal);
            await VerifyAsync();

            var reverted = await domain.RevertAsync(names[Math.Max(0, names.Count - 1 - random.Next(3))], discard: true);
            Assert.Contains("memory (mapped) in a new process", reverted.Plan.Mechanism, StringComparison.Ordinal);
            await VerifyAsync();
            if (names.Count > Kept)
            {
                await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, names[0], metadataOnly: false));
                names.RemoveAt(0);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{verified} times verified, bad=0");
        Assert.Single(domain.QemuProcesses);
        Assert.Single(Directory.GetFiles((await domain.ShowAsync()).Folder.VolumeFolder, "*.ram"));

        async Task VerifyAsync()
        {
            await CheckpointTests.VerifyAsync(domain, boot);
            await GuestHardware.ReachNetworksAsync(domain);
            verified++;
        }
    }

    [Fact]
    public async Task With_thirty_layers_below_each_disk_a_guest_is_checkpointed_and_reverted_as_with_one()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        for (var i = 1; i <= Deep; i++)
        {
            await domain.CreateAsync($"{i}");
        }

        var graph = LayerGraph.Of((await domain.ShowAsync()).Catalog);
        Assert.All((await domain.ShowAsync()).Catalog.Head.Disks, d => Assert.Equal(Deep + 1, graph.Chain(d.Layer).Length));
        await CheckpointTests.VerifyAsync(domain, boot);
        foreach (var name in (string[])[$"{Deep}", $"{Deep / 2}", "1"])
        {
            await domain.RevertAsync(name, discard: true);
            await CheckpointTests.VerifyAsync(domain, boot);
            Assert.Contains("mapped", (await domain.CreateAsync($"again from {name}")).Plan.Mechanism, StringComparison.Ordinal);
        }

        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task What_a_revert_leaves_is_mapped_too_and_undo_brings_it_back()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "one", Live = true });
        await domain.RevertAsync("one");
        Assert.Equal(MemoryFormat.Mapped, Assert.Single((await domain.ShowAsync()).Catalog.Tips).Memory.Format);
        await CheckpointTests.VerifyAsync(domain, boot);
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        await CheckpointTests.VerifyAsync(domain, boot);
    }

    [Fact]
    public async Task A_saved_guest_leaves_no_RAM_behind_and_goes_on_in_a_file_that_is_cloned_again()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.RunAsync(new SaveDomain(LiveDomain.Name));
        var folder = (await domain.ShowAsync()).Folder;
        Assert.Empty(Directory.GetFiles(folder.VolumeFolder, "*.ram"));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Contains("mapped", (await domain.CreateAsync("again")).Plan.Mechanism, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forks_share_the_image_checkpoint_the_fast_way_and_no_balloon_reaches_it()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync(QemuPrograms.Usual, GuestHardware.Usual);
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        var image = (await domain.ShowAsync()).Catalog.Find("one").Memory.File!;
        var before = await GuestHardware.HashAsync(image);
        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "one", Copy) { State = ForkState.Running });
        Assert.Equal(2, FileSystem.Look(image)!.Links);
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        Assert.Contains("mapped", (await domain.RunAsync(new CreateSnapshot(Copy) { Name = "two" })).Plan.Mechanism, StringComparison.Ordinal);

        // What it gives back to the host becomes a hole in the file that it has its RAM in.
        Assert.NotEqual(0, await GuestHardware.BalloonAsync(domain, 96 << 20, Copy));
        Assert.Equal(before, await GuestHardware.HashAsync(image));
        await domain.RevertAsync("one", discard: true);
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Empty(await domain.Home.CheckAsync(null, Cancellation));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;
}
