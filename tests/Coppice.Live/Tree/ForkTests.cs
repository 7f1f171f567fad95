using System.Text.RegularExpressions;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Live.Tree;

/// <summary>Real guests that go on twice (R8, R33, R228).</summary>
public sealed partial class ForkTests
{
    private const string Copy = "copy";

    [Fact]
    public async Task A_guest_that_runs_is_forked_and_both_go_on_by_themselves()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("zero");
        await domain.CreateAsync("one");
        await domain.RunAsync(Fork("one") with { State = ForkState.Running });
        Assert.Equal(2, domain.QemuProcesses.Length);
        await CheckpointTests.VerifyAsync(domain, boot);
        await CheckpointTests.VerifyAsync(domain, boot, Copy);

        // What is frozen is one file; each goes back to it as it was, whatever the other did.
        var view = await domain.Home.ShowAsync(Copy, Cancellation);
        Assert.All(
            view.Catalog.Find("one").Layers.Select(l => l.Path).Append(view.Catalog.Find("one").Memory.File!),
            path => Assert.Equal(2, FileSystem.Look(path)!.Links));
        await domain.RevertAsync("one", discard: true);
        await domain.RunAsync(new RevertSnapshot(Copy, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        await CheckpointTests.VerifyAsync(domain, boot);
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task The_fork_of_a_disk_only_snapshot_boots_and_still_does_when_the_original_is_gone_R176()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.PutAsync("vda", 0, "frozen");
        }

        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "disks", DiskOnly = true });
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(Fork("disks"));
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        await domain.RunAsync(new StartDomain(Copy, Paused: false));
        await using var copy = await domain.ConnectAsync(Copy);
        Assert.Equal("frozen", await copy.ReadAsync("vda", 0));
    }

    [Fact]
    public async Task An_internal_snapshot_is_copied_and_its_memory_goes_on()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        var boot = await CheckpointTests.BootIdAsync(domain);
        await CheckpointTests.StartGentleLoadAsync(domain);
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "inside", Memory = new MemoryRequest(MemoryMode.Internal, Disk: "vda"), Disks = [new DiskRequest("vda", DiskMode.Internal)],
        });
        await domain.RunAsync(Fork("inside") with { State = ForkState.Running });
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        await CheckpointTests.VerifyAsync(domain, boot);
    }

    [Fact]
    public async Task Ten_forks_of_one_snapshot_share_its_memory_image_and_each_goes_on()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        var boot = await CheckpointTests.BootIdAsync(domain);
        await CheckpointTests.StartGentleLoadAsync(domain);
        await domain.CreateAsync("one");
        await domain.RunAsync(new PauseDomain(LiveDomain.Name));
        var start = TimeProvider.System.GetTimestamp();
        var outcomes = await domain.Home.ForkAsync(
            Enumerable.Range(1, 10).Select(i => Fork("one") with { Name = $"{Copy}-{i}", State = ForkState.Paused }), new RunOptions(), Cancellation);
        Assert.All(outcomes, o => Assert.Null(o.Error));
        TestContext.Current.TestOutputHelper!.WriteLine(
            $"fork --count 10 --paused: {TimeProvider.System.GetElapsedTime(start).TotalMilliseconds:0} ms in all, each to its end: "
                + string.Join(" ", outcomes.Select(o => $"{o.Result!.Elapsed.TotalMilliseconds:0}")));
        Assert.Equal(11, domain.QemuProcesses.Length);
        var memory = (await domain.ShowAsync()).Catalog.Find("one").Memory.File!;
        Assert.Equal(11, FileSystem.Look(memory)!.Links);
        await domain.RunAsync(new ResumeDomain($"{Copy}-10"));
        await CheckpointTests.VerifyAsync(domain, boot, $"{Copy}-10");
    }

    [Fact]
    public async Task A_fork_that_runs_goes_on_and_back_when_the_original_is_gone_with_all_its_snapshots()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await CheckpointTests.StartGentleLoadAsync(domain);
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        await domain.RunAsync(Fork("one") with { State = ForkState.Running });
        await domain.RunAsync(new CreateSnapshot(Copy) { Name = "own" });
        var folder = (await domain.ShowAsync()).Folder.Path;
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        Assert.False(Directory.Exists(folder));
        await CheckpointTests.VerifyAsync(domain, boot, Copy);
        foreach (var name in new[] { "own", "one" })
        {
            await domain.RunAsync(new RevertSnapshot(Copy, name, RevertState.AsTaken, DiscardCurrent: true, Force: false));
            await CheckpointTests.VerifyAsync(domain, boot, Copy);
        }

        Assert.Single(domain.QemuProcesses);
        Assert.DoesNotContain(await domain.Home.CheckAsync(null), f => f.Severity is not Severity.Note);
    }

    [Fact]
    public async Task A_fork_has_the_uuid_of_the_original_in_its_firmware_until_it_boots_and_then_its_own()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        var (original, asked) = ((await domain.ShowAsync()).Definition.Id, await UuidAsync(domain, LiveDomain.Name));
        Assert.Equal($"{original}", asked);
        await domain.CreateAsync("one");
        await domain.RunAsync(Fork("one") with { State = ForkState.Running });
        Assert.Equal(asked, await UuidAsync(domain, Copy));
        await domain.RunAsync(new KillDomain(Copy));
        await domain.RunAsync(new StartDomain(Copy, Paused: false));
        await using (await domain.ConnectAsync(Copy))
        {
            // It has booted.
        }

        var own = (await domain.Home.ShowAsync(Copy, Cancellation)).Definition.Id;
        Assert.NotEqual(original, own);
        Assert.Equal($"{own}", await UuidAsync(domain, Copy));
        Assert.Equal(asked, await UuidAsync(domain, LiveDomain.Name));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static ForkSnapshot Fork(string snapshot) => new(LiveDomain.Name, snapshot, Copy);

    /// <summary>What the guest's kernel has read in the tables of its firmware.</summary>
    private static async Task<string> UuidAsync(LiveDomain domain, string name)
    {
        var folder = (await domain.Home.ShowAsync(name, Cancellation)).Folder;
        var printed = await GuestShell.RunAsync(folder, "cat /sys/class/dmi/id/product_uuid", Cancellation);
        var found = Uuid().Match(printed);
        Assert.True(found.Success, printed);
        return found.Value;
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Uuid();
}
