using Coppice.Core;
using Coppice.Live.Tree;
using Coppice.Tests.Trees;
using Coppice.Victim;

namespace Coppice.Torture;

/// <summary>A fork that a guest in the live room was given, whole or cut off by a fault.</summary>
internal sealed class LiveFork(LiveDomain domain, Sight fork)
{
    /// <summary>It begins where its snapshot is, agrees with its disks if it runs, and goes without a trace.</summary>
    public async Task EndAsync(Contents snapshot)
    {
        // Its memory may be a copy, where nothing can be linked; that it is the right one the guest itself tells.
        Violation.Check(Harm.Lost, () => Assert.True(
            snapshot.Disks.Agrees(Assert.Single(fork.Snapshots).Value), $"the fork of {snapshot} has {fork.Snapshots.Values.Single()}"));
        if (fork.View.Hypervisor.State is DomainState.Running)
        {
            await Violation.CheckAsync(Harm.Corrupt, async () =>
            {
                await using var witness = await domain.ConnectAsync(Operations.Fork);
                var (bad, memory, status) = (await witness.VerifyAsync(), await witness.VerifyMemoryAsync(), await witness.StatusAsync());
                Assert.True(bad == 0 && memory.Bad == 0 && status is { Bad: 0, Errors: 0 }, $"fork: {bad} bad blocks, {memory}, {status}");
            });
        }

        if (fork.View.Hypervisor.IsAlive)
        {
            await domain.RunAsync(new KillDomain(Operations.Fork));
        }

        await domain.RunAsync(new UndefineDomain(Operations.Fork, Snapshots: true));
    }
}
