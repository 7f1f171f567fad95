using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>
/// Guests that go on from memory and have the agent of Debian set their clock. What the clock says is read from the guest by
/// the witness, and compared with the host's.
/// </summary>
public sealed class GuestTimeTests
{
    private static readonly TimeSpan s_passing = TimeSpan.FromSeconds(4);

    // What the guest reads at boot has whole seconds, and an emulated CPU takes its time.
    private static readonly TimeSpan s_tolerance = TimeSpan.FromSeconds(2);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_clock_stands_at_the_time_of_the_snapshot_until_the_agent_sets_it()
    {
        await using var domain = await AgentGuest.BootAsync(AgentGuest.RequireArchive());
        await AgentGuest.AskAsync(domain, (agent, limit) => agent.ReadTimeAsync(limit, Cancellation));
        Assert.InRange((await OffAsync(domain)).Wall.Duration(), TimeSpan.Zero, s_tolerance);
        await domain.CreateAsync("one");
        await Task.Delay(s_passing, Cancellation);

        await domain.RevertAsync("one", discard: true);
        var plain = await OffAsync(domain);
        Assert.True(plain.Wall < -s_passing + s_tolerance, $"{plain}");

        // The hardware clock follows the host, whatever was loaded: what a warning tells people to do about it is right.
        Assert.InRange(plain.Hardware.Duration(), TimeSpan.Zero, s_tolerance);

        var reverted = await domain.RunAsync(Revert("one"));
        Assert.Empty(reverted.Warnings);
        Assert.Contains("guest's clock set", reverted.Mechanism, StringComparison.Ordinal);
        Assert.InRange((await OffAsync(domain)).Wall.Duration(), TimeSpan.Zero, s_tolerance);

        // The tip's clock is as far behind as that of the guest that was left.
        var undone = await domain.RunAsync(new UndoRevert(LiveDomain.Name) { SyncTime = true });
        Assert.Empty(undone.Warnings);
        Assert.InRange((await OffAsync(domain)).Wall.Duration(), TimeSpan.Zero, s_tolerance);

        await domain.RunAsync(new SaveDomain(LiveDomain.Name));
        await Task.Delay(s_passing, Cancellation);
        var started = await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false) { SyncTime = true });
        Assert.Empty(started.Warnings);
        Assert.InRange((await OffAsync(domain)).Wall.Duration(), TimeSpan.Zero, s_tolerance);
    }

    [Fact]
    public async Task Without_an_agent_in_the_guest_the_revert_stands_and_a_warning_says_what_to_do()
    {
        await using var domain = await AgentGuest.BootAsync(archive: null);
        await domain.CreateAsync("one");
        var reverted = await domain.RunAsync(Revert("one"));
        Assert.Contains("install and start qemu-guest-agent", Assert.Single(reverted.Warnings), StringComparison.Ordinal);
        Assert.Equal(DomainState.Running, (await domain.ShowAsync()).Hypervisor.State);
        Assert.Single(domain.QemuProcesses);
        await OffAsync(domain);

        // The next command does not try it again.
        var next = await domain.RunAsync(new PauseDomain(LiveDomain.Name));
        Assert.Empty(next.Warnings);
    }

    private static RevertSnapshot Revert(string name) =>
        new(LiveDomain.Name, name, RevertState.AsTaken, DiscardCurrent: false, Force: false) { SyncTime = true };

    /// <summary>How far the guest's clocks are ahead of the host's.</summary>
    private static async Task<(TimeSpan Wall, TimeSpan Hardware)> OffAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        var (wall, hardware) = await witness.ReadClocksAsync(Cancellation);
        var now = TimeProvider.System.GetUtcNow();
        return (wall - now, hardware - now);
    }
}
