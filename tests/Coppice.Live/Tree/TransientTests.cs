using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>A real guest that exists only as long as it runs (R166), in which nobody but the guest decides when that ends.</summary>
public sealed class TransientTests
{
    [Fact]
    public async Task A_transient_guest_that_powers_off_by_itself_is_gone_and_one_with_a_snapshot_stays()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.DefineAsync("vda");
        var definition = (await domain.ShowAsync()).Definition;
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: false));

        await domain.RunAsync(new RunTransient(definition, Paused: false));
        await using (await domain.ConnectAsync())
        {
            Assert.Equal(Persistence.Transient, (await domain.ShowAsync()).Catalog.Persistence);
        }

        await domain.RunAsync(new StopDomain(LiveDomain.Name, TimeSpan.FromSeconds(60)));
        Assert.Empty((await domain.Home.ListAsync(TestContext.Current.CancellationToken)).Domains);
        Assert.Empty(Directory.EnumerateFileSystemEntries($"{domain.HomePath}/domains"));
        Assert.Empty(domain.QemuProcesses);
        Assert.True(File.Exists(domain.ImagePath("vda")));

        await domain.RunAsync(new RunTransient(definition, Paused: true));
        await domain.CreateAsync("kept");
        await domain.KillQemuAsync();
        var left = Assert.Single((await domain.Home.ListAsync(TestContext.Current.CancellationToken)).Domains);
        Assert.Equal((Persistence.Persistent, DomainState.Off), (left.Catalog.Persistence, left.Hypervisor.State));
        await domain.RevertAsync("kept");
        Assert.Equal(DomainState.Paused, (await domain.ShowAsync()).Hypervisor.State);
    }
}
