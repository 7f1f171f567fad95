using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>Guests that go on from memory in a fork that is thrown away, while the original runs on.</summary>
public sealed class TrialTests
{
    [Fact]
    public async Task A_snapshot_with_memory_runs_while_the_original_does_and_one_whose_memory_is_cut_off_does_not_come_up()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        var boot = await CheckpointTests.BootIdAsync(domain);
        await domain.CreateAsync("one");
        Assert.Equal(new GuestTrial(TrialEnd.Runs), await TryAsync(domain));
        Assert.Single(domain.QemuProcesses);
        Assert.Equal(boot, await CheckpointTests.BootIdAsync(domain));

        var memory = (await domain.ShowAsync()).Catalog.Find("one").Memory.File!;
        await using (var file = new FileStream(memory, FileMode.Open, FileAccess.Write))
        {
            file.SetLength(file.Length / 2);
        }

        Assert.Equal(TrialEnd.Failed, (await TryAsync(domain)).End);
        Assert.Single(domain.QemuProcesses);
        Assert.Single((await domain.Home.ListAsync(TestContext.Current.CancellationToken)).Domains);
    }

    [Fact]
    public async Task A_guest_with_an_agent_answers()
    {
        await using var domain = await AgentGuest.BootAsync(AgentGuest.RequireArchive());
        await AgentGuest.AskAsync(domain, (agent, limit) => agent.ReadTimeAsync(limit, TestContext.Current.CancellationToken));
        await domain.CreateAsync("one");
        Assert.Equal(new GuestTrial(TrialEnd.Answers), await TryAsync(domain, seconds: 60));
    }

    private static async Task<GuestTrial> TryAsync(LiveDomain domain, int seconds = 2) =>
        (await domain.RunAsync(new TrySnapshot(LiveDomain.Name, "one", TimeSpan.FromSeconds(seconds)))).Trial!;
}
