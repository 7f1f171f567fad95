using Coppice.Contracts;
using Coppice.Core;
using Coppice.Live.Qemu;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Tree;

/// <summary>Real processes that wait for reverts, forks that share one image, and streams that are mapped afterwards.</summary>
public sealed class SpareTests
{
    private const string Copy = "copy";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reverts_take_processes_that_wait_and_the_guest_goes_on_as_it_was_taken(bool isNewer)
    {
        LiveVolume.Require();
        var qemu = isNewer ? QemuPrograms.Backports : QemuPrograms.Usual;
        QemuPrograms.Require(qemu);
        await using var domain = await LiveDomain.BootMappedAsync(qemu, (xml, _) => xml);
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        var count = Sampling.Everything ? 20 : 3;
        for (var round = 0; round < count; round++)
        {
            await domain.RunAsync(Warm(2));
            Assert.Equal(3, domain.QemuProcesses.Length);
            var reverted = await domain.RevertAsync("one", discard: true);
            Assert.Contains("in a spare that waited", reverted.Plan.Mechanism, StringComparison.Ordinal);
            Assert.DoesNotContain(reverted.Steps, s => s.Kind is "qemu.launch");
            await CheckpointTests.VerifyAsync(domain, boot);
        }

        await domain.CreateAsync("two");
        await domain.RunAsync(Warm(0));
        Assert.Single(domain.QemuProcesses);
        Assert.Single(Directory.GetFiles((await domain.ShowAsync()).Folder.VolumeFolder, "*.ram"));
        Assert.Empty(await domain.Home.CheckAsync(null, Cancellation));
    }

    [Fact]
    public async Task One_that_nobody_takes_ends_by_itself_and_one_that_was_taken_does_not()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        await domain.RunAsync(Warm(2) with { Lifetime = TimeSpan.FromSeconds(20) });
        var waiting = (await domain.ShowAsync()).Catalog.Spares.Select(s => RunFolder.Of(new HomeFolder(domain.HomePath), s.Process)).ToArray();
        await domain.RevertAsync("one", discard: true);
        await Aftermath.UntilAsync(() => Task.FromResult(domain.QemuProcesses.Length == 1), "the one that nobody took goes on waiting");
        await Aftermath.UntilAsync(
            () => Task.FromResult(waiting.All(f => new RunProcess(f, ProcessFiles.Timer, TimeProvider.System).Pid is null)), "what ends them goes on waiting");
        await CheckpointTests.VerifyAsync(domain, boot);
        await domain.CreateAsync("two");
        Assert.Empty((await domain.ShowAsync()).Catalog.Spares);
        Assert.Empty(await domain.Home.CheckAsync(null, Cancellation));
    }

    [Fact]
    public async Task They_end_before_an_image_that_they_have_open_is_merged_and_with_the_domain()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        await domain.CreateAsync("one");
        await domain.CreateAsync("two");
        await domain.RunAsync(new WarmSnapshot(LiveDomain.Name, "two", 1));
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "one", metadataOnly: false));
        await domain.RunAsync(new WaitForJobs(LiveDomain.Name, null));
        Assert.Single(domain.QemuProcesses);
        await domain.RunAsync(new WarmSnapshot(LiveDomain.Name, "two", 2));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        Assert.Equal(2, domain.QemuProcesses.Length);
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        Assert.Empty(domain.QemuProcesses);
    }

    [Fact]
    public async Task A_stream_is_mapped_beside_the_guest_that_runs_and_reverts_to_it_map_it()
    {
        LiveVolume.Require();
        await using var domain = await LiveDomain.BootMappedAsync();
        await CheckpointTests.StartLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        var file = $"{domain.Folder}/one.mem";
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "one", Memory = new MemoryRequest(MemoryMode.External, File: file) });
        await domain.RunAsync(new MapSnapshot(LiveDomain.Name, "one"));
        Assert.False(File.Exists(file));
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Contains("memory (mapped)", (await domain.RevertAsync("one", discard: true)).Plan.Mechanism, StringComparison.Ordinal);
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Empty(await domain.Home.CheckAsync(null, Cancellation));
    }

    [Fact]
    public async Task Forks_that_share_an_image_leave_it_as_it_is_and_an_older_hypervisor_refuses_by_name()
    {
        LiveVolume.Require();
        QemuPrograms.Require(QemuPrograms.Backports);
        await using var domain = await LiveDomain.BootMappedAsync(QemuPrograms.Backports, (xml, _) => xml.Replace(
            "<rng ", "<memballoon model='virtio'/><rng ", StringComparison.Ordinal));
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        var image = (await domain.ShowAsync()).Catalog.Find("one").Memory.File!;
        var before = await GuestHardware.HashAsync(image);
        await domain.RunAsync(Sharing(Copy));
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        Assert.True(await GuestHardware.BalloonAsync(domain, 96 << 20, Copy) > 0);
        Assert.Equal(before, await GuestHardware.HashAsync(image));
        Assert.Contains("stream", (await domain.RunAsync(new CreateSnapshot(Copy) { Name = "two" })).Plan.Mechanism, StringComparison.Ordinal);
        await CheckpointTests.VerifyAsync(domain, boot, Copy);

        var old = LiveDomain.Open(domain.HomePath);
        var refusal = await Assert.ThrowsAsync<CoppiceException>(() => old.RunAsync(Sharing("other"), new Engine.RunOptions(), Cancellation));
        Assert.Equal(ErrorKind.MissingCapability, refusal.Kind);
        Assert.Contains(nameof(Capability.SharedMemoryImage), refusal.Problem, StringComparison.Ordinal);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static WarmSnapshot Warm(int count) => new(LiveDomain.Name, "one", count);

    private static ForkSnapshot Sharing(string name) => new(LiveDomain.Name, "one", name) { State = ForkState.Running, SharesMemory = true };
}
