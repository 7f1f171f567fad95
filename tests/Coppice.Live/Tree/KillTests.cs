using System.Globalization;
using Coppice.Contracts;
using Coppice.Core;

namespace Coppice.Live.Tree;

public sealed class CreateKillTests() : KillTests("create");

/// <summary>Memory and disks inside the images: a killed QEMU leaves them half written, and they are mended.</summary>
public sealed class CreateInsideKillTests() : KillTests("create inside");

public sealed class RevertKillTests() : KillTests("revert");

/// <summary>The guest runs on while its RAM is written.</summary>
public sealed class CreateLiveKillTests() : KillTests("create live");

/// <summary>RAM that is cloned.</summary>
public sealed class CreateMappedKillTests() : KillTests("create", isMapped: true);

/// <summary>The same, on the way back.</summary>
public sealed class RevertMappedKillTests() : KillTests("revert", isMapped: true);

public sealed class UndoKillTests() : KillTests("undo");

/// <summary>
/// The manager is killed with SIGKILL, alone or together with QEMU, at every point of its journal and at random instants
/// while the guest stands still. Afterwards the guest runs again by itself, the tree is the old or the new one and no
/// acknowledged write is lost.
/// </summary>
public abstract class KillTests(string operation, bool isMapped = false)
{
    // A kill that came too late shows that the rehearsal was slower than what follows, as on a host that was busy then.
    private const double Shorter = 0.7;

    [Fact]
    public async Task The_guest_of_a_manager_killed_at_any_point_runs_on_and_the_tree_is_the_old_or_the_new_one()
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync(isMapped);
        await RequireAsync(domain);
        var random = Sampling.Random();
        for (var point = Sampling.Everything ? 0 : random.Next(4); ; point += Sampling.Everything ? 1 : random.Next(2, 6))
        {
            var (victim, _) = await DieAsync(domain, $"event:{point}", point);
            if (!victim.Died)
            {
                Assert.True(point > 5, $"only {point} points were passed");
                return;
            }
        }
    }

    [Fact]
    public async Task The_guest_of_a_manager_killed_at_a_random_instant_of_the_pause_runs_on_by_itself()
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync(isMapped);
        await RequireAsync(domain);
        var longest = await RehearseAsync(domain);
        var random = Sampling.Random();
        var (rounds, hits, slowest) = (0, 0, TimeSpan.Zero);
        var enough = Sampling.Everything ? 12 : 4;
        for (; rounds < enough || (hits < 3 && rounds < 24); rounds++)
        {
            var (victim, silence) = await DieAsync(domain, Instant(random.NextDouble() * longest), rounds);
            hits += victim.DiedStanding ? 1 : 0;
            longest *= victim.DiedStanding ? 1 : Shorter;
            slowest = silence > slowest ? silence : slowest;
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{operation}: {hits} of {rounds} kills hit the step of {longest:0} ms; "
            + $"heard again within {slowest.TotalMilliseconds:0} ms at worst");
        Assert.True(hits >= 3, $"only {hits} of {rounds} kills hit the step");
    }

    [Fact]
    public async Task A_loss_of_manager_and_QEMU_together_loses_no_acknowledged_write()
    {
        LiveDomain.Require();
        await using var domain = await PrepareAsync(isMapped);
        await RequireAsync(domain);
        var longest = await RehearseAsync(domain);
        var random = Sampling.Random();
        var hits = 0;
        for (var round = 0; round < (Sampling.Everything ? 6 : 2) || (hits == 0 && round < 12); round++)
        {
            var moment = round == 0 ? $"event:{random.Next(2, 9)}" : Instant(random.NextDouble() * longest);
            var hit = await LosePowerAsync(domain, $"{moment}+qemu", round);
            hits += hit ? 1 : 0;
            longest *= hit || round == 0 ? 1 : Shorter;
        }

        Assert.True(hits > 0, "no loss hit the step in which the guest stands still");
    }

    internal static async Task<LiveDomain> PrepareAsync(bool isMapped = false)
    {
        if (isMapped)
        {
            LiveVolume.Require();
        }

        var domain = await (isMapped ? LiveDomain.BootMappedAsync() : LiveDomain.BootAsync());
        await CheckpointTests.StartGentleLoadAsync(domain);
        await domain.CreateAsync("base");
        await domain.RevertAsync("base");
        return domain;
    }

    private Task RequireAsync(LiveDomain domain) => operation is "create live" ? LiveStreamTests.RequireAsync(domain) : Task.CompletedTask;

    /// <returns>How long the step takes, in milliseconds, in which the guest stands still.</returns>
    private async Task<double> RehearseAsync(LiveDomain domain)
    {
        using var victim = await VictimRun.RunAsync(domain, operation, "never", "rehearsal");
        return victim.StoodMilliseconds;
    }

    private static string Instant(double milliseconds) =>
        string.Create(CultureInfo.InvariantCulture, $"switch:{milliseconds:0.0}");

    private async Task<(VictimRun Victim, TimeSpan Silence)> DieAsync(LiveDomain domain, string moment, int round)
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
    private async Task<bool> LosePowerAsync(LiveDomain domain, string moment, int round)
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
        if (operation is not ("create" or "create inside") && !after.Tips.Select(t => t.Id).SequenceEqual(before.Catalog.Tips.Select(t => t.Id)))
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
            await witness.StartWritingAsync(TimeSpan.FromMilliseconds(10));
            await witness.WaitForAckAsync((await witness.StatusAsync()).Acked + 5);
        }

        return victim.DiedStanding;
    }
}
