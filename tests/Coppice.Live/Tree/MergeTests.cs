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
            await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, name, metadataOnly: false) { Direction = direction });
            await domain.RunAsync(new WaitForJobs(LiveDomain.Name, null));
            await witness.WaitForAckAsync(acked + 5);
        }

        var view = await domain.ShowAsync();
        Assert.Empty(view.Catalog.Jobs);
        Assert.Equal(["four", "one"], view.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal));
        Assert.Equal(3, new LayerGraph(view.Catalog).Chain(view.Catalog.Head.Disks[0].Layer).Length);
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
            await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "one", metadataOnly: false) { Direction = direction });
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

    private static async Task VerifyAsync(WitnessClient witness)
    {
        await witness.VerifyAsync();
        var status = await witness.StatusAsync();
        Assert.Equal(0, status.Bad);
    }
}
