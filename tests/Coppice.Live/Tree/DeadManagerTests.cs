using System.Diagnostics;
using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>What other commands meet when a manager is dead, or dies while they wait.</summary>
public sealed class DeadManagerTests
{
    [Fact]
    public async Task Commands_that_wait_for_the_lock_of_a_killed_manager_clean_up_after_it_and_go_on()
    {
        LiveDomain.Require();
        await using var domain = await KillTests.PrepareAsync();
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
}
