using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Coppice.Contracts;
using Coppice.Core;
using Coppice.Files;
using Coppice.Live.Qemu;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Live.Tree;

/// <summary>Real guests whose RAM is a file that is cloned: a checkpoint, a revert and a fork do not wait for it.</summary>
public sealed class MappedTests
{
    private const string Copy = "copy";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Under_load_on_two_processors_disks_RAM_and_both_network_cards_are_of_one_instant(bool isNewer)
    {
        LiveVolume.Require();
        var qemu = isNewer ? QemuPrograms.Backports : QemuPrograms.Usual;
        QemuPrograms.Require(qemu);
        await using var domain = await LiveDomain.BootMappedAsync(qemu, WithHardware);
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        var random = Sampling.Random();
        var names = new List<string>();
        for (var round = 0; round < (Sampling.Everything ? 50 : 6); round++)
        {
            names.Add($"round-{round}");
            var created = await domain.CreateAsync(names[^1]);
            Assert.Contains("external memory (mapped) + external vda, vdb", created.Plan.Mechanism, StringComparison.Ordinal);
            Assert.Contains("memory by a clone of the RAM file", created.Mechanism, StringComparison.Ordinal);
            await CheckpointTests.VerifyAsync(domain, boot);

            var reverted = await domain.RevertAsync(names[Math.Max(0, names.Count - 1 - random.Next(3))], discard: true);
            Assert.Contains("memory (mapped) in a new process", reverted.Plan.Mechanism, StringComparison.Ordinal);
            await CheckpointTests.VerifyAsync(domain, boot);
        }

        Assert.Single(domain.QemuProcesses);
        Assert.Single(Directory.GetFiles((await domain.ShowAsync()).Folder.VolumeFolder, "*.ram"));
    }

    [Fact]
    public async Task What_a_revert_leaves_is_mapped_too_and_undo_brings_it_back()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
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
        await using var domain = await LiveDomain.BootMappedAsync(QemuPrograms.Usual, WithHardware);
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        var image = (await domain.ShowAsync()).Catalog.Find("one").Memory.File!;
        var before = await HashAsync(image);
        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "one", Copy) { State = ForkState.Running });
        var fork = await domain.Home.ShowAsync(Copy, Cancellation);
        Assert.Equal(2, FileSystem.Look(image)!.Links);
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        Assert.Contains("mapped", (await domain.RunAsync(new CreateSnapshot(Copy) { Name = "two" })).Plan.Mechanism, StringComparison.Ordinal);

        // What it gives back to the host becomes a hole in the file that it has its RAM in.
        var freed = await BalloonAsync(RunFolder.Of(fork.Folder.Home, fork.Catalog.Head.Process!.Value), 96 << 20);
        Assert.True(freed > 0, "the balloon did not grow");
        Assert.Equal(before, await HashAsync(image));
        await domain.RevertAsync("one", discard: true);
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Empty(await domain.Home.CheckAsync(null, Cancellation));
    }

    /// <returns>The bytes that the guest gave back.</returns>
    internal static async Task<long> BalloonAsync(RunFolder folder, long target)
    {
        await using var qmp = await QmpConnection.ConnectAsync(
            folder.Readers, "the guest", () => true, TimeProvider.System, TimeSpan.FromSeconds(30), Cancellation);
        var before = await SizeAsync();
        await qmp.ExecuteAsync("balloon", new JsonObject { ["value"] = target }, Cancellation);
        await Aftermath.UntilAsync(async () => await SizeAsync() <= target, "the balloon did not grow");
        return before - await SizeAsync();

        async Task<long> SizeAsync() => (await qmp.ExecuteAsync("query-balloon", null, Cancellation)).NumberOrZero("actual");
    }

    internal static async Task<string> HashAsync(string file)
    {
        await using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, Cancellation));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Two processors, both usual network cards, a screen and a balloon.</summary>
    private static string WithHardware(string xml, string folder) => xml
        .Replace("<vcpu>1</vcpu>", "<vcpu>2</vcpu>", StringComparison.Ordinal)
        .Replace("<rng ", """
            <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
            <interface type='user'><mac address='52:54:00:00:00:02'/><model type='e1000'/></interface>
            <video><model type='vga'/></video><graphics type='vnc'/>
            <memballoon model='virtio'/>
            <rng 
            """.TrimEnd('\n'), StringComparison.Ordinal);
}
