using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>The rows of the matrix that this driver has, on real guests.</summary>
public sealed class CheckpointTests
{
    [Fact]
    public async Task Thirty_rounds_under_load_bring_RAM_and_disks_back_together_R133()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await StartLoadAsync(domain);
        var boot = await BootIdAsync(domain);

        // Three snapshots a branch, so that reverts go to roots, inner nodes and leaves.
        var random = new Random(7);
        var names = new List<string>();
        for (var round = 0; round < 30; round++)
        {
            names.Add($"round-{round}");
            var created = await domain.CreateAsync(names[^1]);
            Assert.Contains("external memory (stream) + external vda, vdb", created.Plan.Mechanism, StringComparison.Ordinal);
            Assert.Contains("memory by migration stream to a descriptor, 2 disk(s) moved by one transaction", created.Mechanism, StringComparison.Ordinal);
            Assert.NotNull(created.Pause);
            await VerifyAsync(domain, boot);

            var back = names[Math.Max(0, names.Count - 1 - random.Next(3))];
            var reverted = await domain.RevertAsync(back, discard: true);
            Assert.Contains("memory (stream) in a new process", reverted.Plan.Mechanism, StringComparison.Ordinal);
            await VerifyAsync(domain, boot);
        }

        Assert.Single(domain.QemuProcesses);
    }

    [Fact]
    public async Task A_paused_guest_is_checkpointed_stays_paused_and_is_reverted_paused_R130()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await domain.RunAsync(new PauseDomain(LiveDomain.Name));
        await domain.CreateAsync("still");
        Assert.Equal(DomainState.Paused, (await domain.ShowAsync()).Hypervisor.State);

        await domain.RunAsync(new ResumeDomain(LiveDomain.Name));
        await domain.RevertAsync("still");
        Assert.Equal(DomainState.Paused, (await domain.ShowAsync()).Hypervisor.State);

        await domain.RunAsync(new ResumeDomain(LiveDomain.Name));
        await using var witness = await domain.ConnectAsync();
        Assert.Equal(0, (await witness.StatusAsync()).Bad);
    }

    [Fact]
    public async Task Undo_returns_to_what_a_revert_left_and_undoing_it_returns_again()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await SayAsync(domain, "first");
        await domain.CreateAsync("s1");
        await SayAsync(domain, "second");

        await domain.RevertAsync("s1");
        Assert.Equal("first, first", await HearAsync(domain));
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        Assert.Equal("second, second", await HearAsync(domain));
        await domain.RunAsync(new UndoRevert(LiveDomain.Name));
        Assert.Equal("first, first", await HearAsync(domain));
    }

    [Fact]
    public async Task A_domain_that_is_off_is_snapshotted_and_reverted_R113()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "before");
        await domain.RunAsync(new StopDomain(LiveDomain.Name, TimeSpan.FromSeconds(60)));
        var created = await domain.CreateAsync("cold");
        Assert.Contains("R113", created.Plan.Mechanism, StringComparison.Ordinal);

        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await SayAsync(domain, "after");
        await domain.RevertAsync("cold");
        Assert.Equal(DomainState.Off, (await domain.ShowAsync()).Hypervisor.State);

        await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "cold", RevertState.Running, DiscardCurrent: true, Force: false));
        await using var witness = await domain.ConnectAsync();
        Assert.Equal("before", await witness.ReadAsync("vda", 0));
        Assert.Null(await witness.GetAsync("note"));
    }

    [Fact]
    public async Task A_saved_domain_is_off_goes_on_where_it_was_and_can_be_snapshotted_meanwhile_R37()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await StartLoadAsync(domain);
        var boot = await BootIdAsync(domain);
        await domain.RunAsync(new SaveDomain(LiveDomain.Name));
        Assert.Equal(DomainState.Saved, (await domain.ShowAsync()).Hypervisor.State);
        Assert.Empty(domain.QemuProcesses);

        var created = await domain.CreateAsync("while saved");
        Assert.Contains("external memory (stream) + external vda, vdb", created.Plan.Mechanism, StringComparison.Ordinal);
        Assert.Equal(DomainState.Saved, (await domain.ShowAsync()).Hypervisor.State);
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await VerifyAsync(domain, boot);
        await domain.RevertAsync("while saved", discard: true);
        await VerifyAsync(domain, boot);
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "while saved", metadataOnly: false));
        Assert.Empty(Directory.GetFiles((await domain.ShowAsync()).Folder.MemoryFolder));
    }

    [Fact]
    public async Task A_snapshot_of_disks_alone_is_crash_consistent_across_disks_R116()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.StartWritingAsync();
            await witness.WaitForAckAsync(50);
        }

        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "disks", DiskOnly = true });
        await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "disks", RevertState.Running, DiscardCurrent: true, Force: false));

        await using var after = await domain.ConnectAsync();
        var first = await after.ScanAsync("vda");
        var second = await after.ScanAsync("vdb");
        Assert.InRange(first.Highest - second.Highest, 0, 1);
        Assert.True(first.Highest >= 50, $"{first}");
        Assert.Equal((0, 0), (first.Torn, second.Torn));
    }

    [Fact]
    public async Task Memory_is_kept_without_disks_and_loaded_over_them_only_by_force_R131()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "first");
        var created = await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "ram",
            Memory = new MemoryRequest(MemoryMode.External),
            Disks = [new DiskRequest("vda", DiskMode.None)],
        });
        Assert.Contains("R131", created.Plan.Mechanism, StringComparison.Ordinal);
        await SayAsync(domain, "second");

        var refusal = await Assert.ThrowsAsync<CoppiceException>(() => domain.RevertAsync("ram"));
        Assert.Equal(ErrorKind.WouldLose, refusal.Kind);
        await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "ram", RevertState.AsTaken, DiscardCurrent: true, Force: true));
        await using var witness = await domain.ConnectAsync();
        Assert.Equal("first", await witness.GetAsync("note"));
        Assert.Equal("second", await witness.ReadAsync("vda", 0));
    }

    internal static async Task StartLoadAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.DirtyAsync(10_000_000, 8_000_000);
        await witness.StartWritingAsync(TimeSpan.FromMilliseconds(5));
        await witness.WaitForAckAsync(20);
    }

    /// <summary>Enough to notice what is lost, and little enough for many guests after each other on a busy machine.</summary>
    internal static async Task StartGentleLoadAsync(LiveDomain domain, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        await witness.DirtyAsync(1_000_000, 2_000_000);
        await witness.StartWritingAsync(TimeSpan.FromMilliseconds(50));
        await witness.WaitForAckAsync(20);
    }

    internal static async Task<string> BootIdAsync(LiveDomain domain, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        return (await witness.StatusAsync()).BootId;
    }

    /// <summary>The guest goes on, and agrees with its disks and its memory.</summary>
    internal static async Task VerifyAsync(LiveDomain domain, string boot, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        var before = await witness.StatusAsync();
        await witness.WaitForAckAsync(before.Acked + 5);
        Assert.Equal(0, await witness.VerifyAsync());
        Assert.Equal(0, (await witness.VerifyMemoryAsync()).Bad);
        var after = await witness.StatusAsync();
        Assert.True(after is { Bad: 0, Errors: 0 } && after.BootId == boot && after.Acked > before.Acked, $"{after}");
    }

    private static async Task SayAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.SetAsync("note", text);
        await witness.PutAsync("vda", 0, text);
    }

    private static async Task<string> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return $"{await witness.GetAsync("note")}, {await witness.ReadAsync("vda", 0)}";
    }
}
