using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>A disk is added between two snapshots: each revert brings a guest back that has the disks it had.</summary>
public sealed class DiskSetTests
{
    [Fact]
    public async Task A_guest_has_the_disks_that_it_had_when_the_snapshot_was_taken()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.CreateAsync("one disk");
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.AddDiskAsync("vdb");
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using (var witness = await domain.ConnectAsync())
        {
            await witness.PutAsync("vdb", 0, "added");
        }

        await domain.CreateAsync("two disks");
        await domain.RevertAsync("one disk");
        Assert.Equal(["vda"], await DisksAsync(domain));
        await domain.RevertAsync("two disks", discard: true);
        Assert.Equal(["vda", "vdb"], await DisksAsync(domain));
        await using (var witness = await domain.ConnectAsync())
        {
            Assert.Equal("added", await witness.ReadAsync("vdb", 0));
            await witness.PutAsync("vdb", 0, "changed");
            Assert.Equal("changed", await witness.ReadAsync("vdb", 0));
        }

        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    private static async Task<IEnumerable<string>> DisksAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return (await witness.DisksAsync()).Keys.Order(StringComparer.Ordinal);
    }
}
