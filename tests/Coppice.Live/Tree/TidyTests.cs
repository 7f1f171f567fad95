using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>What is told of a domain is true of one whose guest runs.</summary>
public sealed class TidyTests
{
    private const long At = 16L << 20, Length = 1L << 20;

    [Fact]
    public async Task Nothing_is_wrong_with_a_domain_that_runs_nor_with_one_whose_process_was_killed()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        await domain.CreateAsync("one");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "inside", Memory = new MemoryRequest(MemoryMode.Internal, Disk: "vda"),
            Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.External)],
        });
        await domain.RevertAsync("one");
        Assert.Empty(await domain.Home.CheckAsync(null));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));

        System.Diagnostics.Process.GetProcessById(Assert.Single(domain.QemuProcesses)).Kill();
        while (!domain.QemuProcesses.IsEmpty)
        {
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.DoesNotContain(await domain.Home.CheckAsync(null), f => f.Severity is Severity.Damage);
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Empty(await domain.Home.CheckAsync(LiveDomain.Name));
    }

    [Fact]
    public async Task What_a_guest_writes_between_two_snapshots_is_what_differs_and_what_the_second_one_costs()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.CreateAsync("one");
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.FillAsync("vda", At, Length, seed: 7);
        }

        await domain.CreateAsync("two");
        await domain.RevertAsync("one", discard: true);
        var difference = Assert.Single((await domain.Home.CompareAsync(LiveDomain.Name, "one", "two", "vda")).Disks).Difference!;
        Assert.Equal(Length, difference.Ranges.Sum(r => Math.Max(0, Math.Min(r.Offset + r.Length, At + Length) - Math.Max(r.Offset, At))));
        Assert.True(difference.Changed.Bytes < 4 * Length, $"{difference.Changed} differ");
        Assert.True((await domain.Home.CompareAsync(LiveDomain.Name, "one", null, null)).IsMoving);

        var usage = (await domain.Home.ReadUsageAsync(LiveDomain.Name)).References;
        var two = usage.Single(r => r.Name == "two");
        Assert.True(two.Own.Bytes >= two.Memory.Bytes + Length && two.Memory.Bytes > 0, $"{two}");
        Assert.True(usage.Single(r => r.Name == "one").Shared.Bytes > 0);
    }
}
