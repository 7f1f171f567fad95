using System.Diagnostics;
using System.Globalization;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>
/// The manager is killed with SIGKILL, alone or together with QEMU, at every point of its journal and at random instants
/// while the guest stands still. Afterwards the guest runs again by itself, the tree is the old or the new one and no
/// acknowledged write is lost.
/// </summary>
public sealed class KillTests
{
    [Theory]
    [InlineData("create")]
    [InlineData("revert")]
    [InlineData("undo")]
    public async Task The_guest_of_a_manager_killed_at_any_point_runs_on_and_the_tree_is_the_old_or_the_new_one(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        for (var point = 0; ; point++)
        {
            var (victim, _) = await DieAsync(domain, operation, $"event:{point}", point);
            if (!victim.Died)
            {
                Assert.True(point > 5, $"only {point} points were passed");
                return;
            }
        }
    }

    [Theory]
    [InlineData("create")]
    [InlineData("revert")]
    [InlineData("undo")]
    public async Task The_guest_of_a_manager_killed_at_a_random_instant_of_the_pause_runs_on_by_itself(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        var longest = await RehearseAsync(domain, operation);
        var random = Seed();
        var (rounds, hits, slowest) = (0, 0, TimeSpan.Zero);
        for (; rounds < 8 || (hits < 4 && rounds < 24); rounds++)
        {
            var (victim, silence) = await DieAsync(domain, operation, Instant(random.NextDouble() * longest), rounds);
            hits += victim.DiedStanding ? 1 : 0;
            slowest = silence > slowest ? silence : slowest;
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{operation}: {hits} of {rounds} kills hit the step of {longest:0} ms; "
            + $"heard again within {slowest.TotalMilliseconds:0} ms at worst");
        Assert.True(hits >= 4, $"only {hits} of {rounds} kills hit the step");
    }

    [Theory]
    [InlineData("create")]
    [InlineData("revert")]
    [InlineData("undo")]
    public async Task A_loss_of_manager_and_QEMU_together_loses_no_acknowledged_write(string operation)
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        var longest = await RehearseAsync(domain, operation);
        var random = Seed();
        var hits = 0;
        for (var round = 0; round < 3 || (hits == 0 && round < 12); round++)
        {
            var moment = round == 0 ? $"event:{random.Next(2, 9)}" : Instant(random.NextDouble() * longest);
            hits += await LosePowerAsync(domain, operation, $"{moment}+qemu", round) ? 1 : 0;
        }

        Assert.True(hits > 0, "no loss hit the step in which the guest stands still");
    }

    [Fact]
    public async Task Commands_that_wait_for_the_lock_of_a_killed_manager_clean_up_after_it_and_go_on()
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync();
        var before = await domain.ShowAsync();

        // After 'planned', three points for each of two overlays and the launch, and the intent of the switch.
        const int LeftAndNotCommitted = 11;
        using var victim = VictimRun.Start(domain, "revert", $"event:{LeftAndNotCommitted}+wait", "");
        while (await victim.ReadLineAsync() is not ("elsewhere" or null))
        {
        }

        Assert.Equal(DomainState.Paused, (await domain.ShowAsync()).Hypervisor.State);
        string[] names = ["first", "second"];
        var waiting = names.Select(domain.CreateAsync).ToArray();
        await Task.Delay(TimeSpan.FromMilliseconds(500), TestContext.Current.CancellationToken);
        Assert.DoesNotContain(waiting, w => w.IsCompleted);

        await victim.LetDieAsync();
        await victim.EndAsync();
        Assert.True(victim.Died);
        var results = await Task.WhenAll(waiting);
        Assert.Single(results, r => r.Warnings.Any(w => w.StartsWith("'snapshot revert'", StringComparison.Ordinal)));
        var after = (await domain.ShowAsync()).Catalog;
        Assert.Equal(
            [.. before.Catalog.Snapshots.Values.Select(s => s.Name), .. names],
            after.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal));
        await CheckpointTests.VerifyAsync(domain, await CheckpointTests.BootIdAsync(domain));
        Assert.Single(domain.QemuProcesses);
    }

    [Fact]
    public async Task A_kill_gets_through_when_QEMU_hangs_in_a_snapshot_that_was_interrupted()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        var id = (await domain.ShowAsync()).Catalog.Domain;
        using var victim = await VictimRun.RunAsync(domain, "create", "switch:0", "new");
        Assert.True(victim.Died, "the manager was not killed");
        foreach (var process in domain.QemuProcesses)
        {
            using var stop = Process.Start("kill", ["-STOP", $"{process}"]);
            await stop.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        domain.Reopen();
        await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(new PauseDomain(LiveDomain.Name)));
        Assert.Single(Directory.EnumerateFiles(new HomeFolder(domain.HomePath).Domain(id).Journals));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        var view = await domain.ShowAsync();
        Assert.Equal(DomainState.Off, view.Hypervisor.State);
        Assert.Empty(Directory.EnumerateFiles(view.Folder.Journals));
        Assert.Empty(view.Catalog.Snapshots);

        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using var witness = await domain.ConnectAsync();
        Assert.Single(domain.QemuProcesses);
    }

    private static async Task<LiveDomain> PrepareAsync()
    {
        var domain = await LiveDomain.BootAsync();
        await CheckpointTests.StartLoadAsync(domain);
        await domain.CreateAsync("base");
        await domain.RevertAsync("base");
        return domain;
    }

    /// <returns>How long the step takes, in milliseconds, in which the guest stands still.</returns>
    private static async Task<double> RehearseAsync(LiveDomain domain, string operation)
    {
        using var victim = await VictimRun.RunAsync(domain, operation, "never", "rehearsal");
        return victim.StoodMilliseconds;
    }

    private static string Instant(double milliseconds) =>
        string.Create(CultureInfo.InvariantCulture, $"switch:{milliseconds:0.0}");

    private static async Task<(VictimRun Victim, TimeSpan Silence)> DieAsync(
        LiveDomain domain, string operation, string moment, int round)
    {
        var boot = await CheckpointTests.BootIdAsync(domain);
        var before = await domain.ShowAsync();
        using var victim = await VictimRun.RunAsync(domain, operation, moment, $"{operation}-{round}");

        var silence = await Aftermath.RunsByItselfAsync(domain, moment);
        await Aftermath.TouchAsync(domain);
        await Aftermath.VerifyTreeAsync(domain, before.Catalog, moment);
        await CheckpointTests.VerifyAsync(domain, boot);
        Assert.Single(domain.QemuProcesses);
        return (victim, silence);
    }

    /// <returns>Whether the guest stood still.</returns>
    private static async Task<bool> LosePowerAsync(LiveDomain domain, string operation, string moment, int round)
    {
        long acked;
        var before = await domain.ShowAsync();
        VictimRun victim;
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.WaitForAckAsync((await witness.StatusAsync()).Acked + 5);
            victim = await VictimRun.RunAsync(domain, operation, moment, $"{operation}-{round}");
            await domain.KillQemuAsync();
            acked = witness.LastAcked;
        }

        using var ended = victim;
        await Aftermath.TouchAsync(domain);
        var after = await Aftermath.VerifyTreeAsync(domain, before.Catalog, moment);
        Assert.Equal(DomainState.Off, (await domain.ShowAsync()).Hypervisor.State);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        if (operation != "create" && !after.Tips.Select(t => t.Id).SequenceEqual(before.Catalog.Tips.Select(t => t.Id)))
        {
            // It was committed and the domain has gone back: what was acknowledged is in the tip, to which one can return.
            await domain.RunAsync(new UndoRevert(LiveDomain.Name));
            await using var left = await domain.ConnectAsync();
            Assert.Equal(0, await left.VerifyAsync());
        }
        else
        {
            await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        }

        await using (var witness = await domain.ConnectAsync())
        {
            Assert.True((await witness.ScanAsync("vda")).Highest >= acked, moment);
            Assert.Equal(0, (await witness.ScanAsync("vdb")).Torn);
            await witness.StartWritingAsync();
            await witness.WaitForAckAsync((await witness.StatusAsync()).Acked + 5);
        }

        return victim.DiedStanding;
    }

    private static Random Seed()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("COPPICE_SEED"), out var given) ? given : Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"COPPICE_SEED={seed}");
        return new Random(seed);
    }
}
