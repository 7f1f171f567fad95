using Coppice.Core;
using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>A guest that runs is forked by one command, which takes the snapshot that the fork begins on itself.</summary>
public sealed class LiveForkTests
{
    [Fact]
    public async Task A_live_fork_runs_beside_the_guest_that_runs_on_and_the_snapshot_that_it_began_on_is_in_the_tree()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await domain.RunAsync(new RenameDomain(LiveDomain.Name, "web"));
        await CheckpointTests.StartGentleLoadAsync(domain, "web");
        var boot = await CheckpointTests.BootIdAsync(domain, "web");
        var process = Assert.Single(domain.QemuProcesses);
        await using var cli = new CliHome { Starter = ["env", $"COPPICE_HOME={domain.HomePath}"] };
        await cli.DoAsync("snapshot", "create", "web", "before");
        await cli.DoAsync("snapshot", "fork", "web", "--live", "copy", "--start");
        await CheckpointTests.VerifyAsync(domain, boot, "web");
        await CheckpointTests.VerifyAsync(domain, boot, "copy");
        Assert.Equal(2, domain.QemuProcesses.Length);
        Assert.Contains(process, domain.QemuProcesses);
        foreach (var name in new[] { "web", "copy" })
        {
            Assert.Contains("running", await cli.DoAsync("show", name), StringComparison.Ordinal);
            Assert.Contains("fork-copy", await cli.DoAsync("snapshot", "tree", name), StringComparison.Ordinal);
        }

        // Both can go back to where they parted.
        await cli.DoAsync("snapshot", "revert", "web", "fork-copy");
        await cli.DoAsync("snapshot", "revert", "copy", "fork-copy");
        await CheckpointTests.VerifyAsync(domain, boot, "web");
        await CheckpointTests.VerifyAsync(domain, boot, "copy");
    }
}
