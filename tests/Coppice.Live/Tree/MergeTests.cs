using Coppice.Core;
using Coppice.Live.Witness;

namespace Coppice.Live.Tree;

/// <summary>Nodes are deleted and their layers merged while the guest writes, and QEMU is killed meanwhile (R14, R70, R200).</summary>
public sealed class MergeTests
{
    private const long Filled = 32L << 20, Length = 8L << 20;

    [Fact]
    public async Task Layers_below_a_guest_that_writes_become_one_in_both_directions_and_it_notices_nothing()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await using var witness = await domain.ConnectAsync();
        await witness.StartWritingAsync();
        foreach (var (name, seed) in new[] { ("one", 1), ("two", 2), ("three", 3), ("four", 4) })
        {
            await witness.FillAsync("vda", Filled + (seed << 20), Length, seed);
            await domain.CreateAsync(name);
        }

        var sum = await witness.ChecksumAsync("vda", Filled, 2 * Length);
        var process = Assert.Single(domain.QemuProcesses);
        foreach (var (name, direction) in new[] { ("two", MergeDirection.Commit), ("three", MergeDirection.Stream) })
        {
            var acked = witness.LastAcked;
            await domain.RunAsync(Delete(name, direction));
            await domain.RunAsync(new WaitForJobs(LiveDomain.Name, null));
            await witness.WaitForAckAsync(acked + 5);
        }

        var view = await domain.ShowAsync();
        Assert.Empty(view.Catalog.Jobs);
        Assert.Equal(["four", "one"], view.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal));
        Assert.Equal(3, LayerGraph.Of(view.Catalog).Chain(view.Catalog.Head.Disks[0].Layer).Length);
        Assert.Equal(process, Assert.Single(domain.QemuProcesses));
        Assert.Equal(sum, await witness.ChecksumAsync("vda", Filled, 2 * Length));
        await VerifyAsync(witness);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));

        await witness.DisposeAsync();
        await domain.RevertAsync("four", discard: true);
        await using var again = await domain.ConnectAsync();
        Assert.Equal(sum, await again.ChecksumAsync("vda", Filled, 2 * Length));
        await VerifyAsync(again);
    }

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task QEMU_killed_while_it_merges_below_its_guest_loses_nothing_and_the_merge_is_begun_again(MergeDirection direction)
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        ulong sum;
        long acked;
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.FillAsync("vda", Filled, Length, seed: 1);
            await domain.CreateAsync("one");
            await witness.FillAsync("vda", Filled + (Length / 2), Length, seed: 2);
            await domain.CreateAsync("two");
            sum = await witness.ChecksumAsync("vda", Filled, 2 * Length);
            await witness.StartWritingAsync();
            await witness.WaitForAckAsync(5);
            await domain.RunAsync(Delete("one", direction));
            await domain.KillQemuAsync();
            acked = witness.LastAcked;
        }

        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await domain.RunAsync(new WaitForJobs(LiveDomain.Name, null));
        await using var again = await domain.ConnectAsync();
        Assert.Empty((await domain.ShowAsync()).Catalog.Jobs);
        Assert.Equal(sum, await again.ChecksumAsync("vda", Filled, 2 * Length));
        Assert.True((await again.ScanAsync("vda")).Highest >= acked);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Theory]
    [InlineData(MergeDirection.Commit, false)]
    [InlineData(MergeDirection.Stream, true)]
    public async Task A_domain_is_listed_shown_and_ended_while_its_layers_are_merged_and_the_merge_is_done_afterwards(
        MergeDirection direction, bool kills)
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        ulong sum;
        var round = 0;
        do
        {
            Assert.True(round++ < 10, "every merge was done before it was slowed");
            await using var witness = await domain.ConnectAsync();
            await witness.FillAsync("vda", Filled, Length, seed: round);
            await domain.CreateAsync($"one-{round}");
            await witness.FillAsync("vda", Filled + (Length / 2), Length, seed: 100 + round);
            await domain.CreateAsync($"two-{round}");
            sum = await witness.ChecksumAsync("vda", Filled, 2 * Length);
        }
        while (!await MergeBrake.TryRunAsync(domain, Delete($"one-{round}", direction)));

        await RequireRunningAsync(domain);
        Assert.Equal(DomainState.Running, Assert.Single((await domain.Home.ListAsync()).Domains).Hypervisor.State);
        await RequireRunningAsync(domain);
        Assert.Single((await domain.ShowAsync()).Catalog.Jobs);
        await RequireRunningAsync(domain);
        await domain.RunAsync(kills ? new KillDomain(LiveDomain.Name) : new StopDomain(LiveDomain.Name, TimeSpan.FromMinutes(1)));
        Assert.Empty(domain.QemuProcesses);
        Assert.Single((await domain.ShowAsync()).Catalog.Jobs);

        await domain.RunAsync(new CollectGarbage(LiveDomain.Name) { Wait = true });
        Assert.Empty((await domain.ShowAsync()).Catalog.Jobs);
        Assert.Empty(domain.QemuProcesses);
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal(sum, await SumAsync(domain));
        await domain.RevertAsync($"two-{round}", discard: true);
        Assert.Equal(sum, await SumAsync(domain));
    }

    private static DeleteSnapshot Delete(string name, MergeDirection direction) =>
        new(LiveDomain.Name, name, metadataOnly: false) { Direction = direction };

    private static async Task RequireRunningAsync(LiveDomain domain) =>
        Assert.Equal(MergeState.Running, Assert.Single(await domain.Home.ReadJobsAsync(LiveDomain.Name)).Observation.State);

    private static async Task<ulong> SumAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return await witness.ChecksumAsync("vda", Filled, 2 * Length);
    }

    private static async Task VerifyAsync(WitnessClient witness)
    {
        await witness.VerifyAsync();
        var status = await witness.StatusAsync();
        Assert.Equal(0, status.Bad);
    }
}
