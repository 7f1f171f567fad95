using System.Diagnostics;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Live.Tree;

/// <summary>What QEMU's own savevm and qemu-img leave in images, taken into the tree and reverted to.</summary>
public sealed class AdoptionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_savevm_and_qemu_img_made_is_reverted_to_RAM_and_disks_together_R52()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync();
        var boot = await CheckpointTests.BootIdAsync(domain);
        await SayAsync(domain, "then");
        await SaveVmAsync(domain, "theirs, with RAM");
        await SayAsync(domain, "now");
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await SnapshotAsync(domain, "off");

        var result = await domain.RunAsync(new AdoptSnapshots(LiveDomain.Name));
        Assert.Contains("was saved by something else", Assert.Single(result.Plan.Warnings), StringComparison.Ordinal);
        var catalog = (await domain.ShowAsync()).Catalog;
        var (memory, off) = (catalog.Find("theirs, with RAM"), catalog.Find("off"));
        Assert.Equal((memory.Id, off.Id), (off.Parent, catalog.Current));
        Assert.Equal((DomainState.Running, Consistency.Exact, DomainState.Off), (memory.State, memory.Consistency, off.State));
        Assert.All(memory.Disks.Concat(off.Disks), d => Assert.Equal(DiskMode.Internal, d.Mode));

        await domain.RevertAsync(memory.Name);
        await using (var witness = await domain.ConnectAsync())
        {
            Assert.Equal(("then", "then"), (await witness.GetAsync("word"), await witness.ReadAsync("vda", 1)));
            Assert.Equal(0, (await witness.StatusAsync()).Bad);
        }

        Assert.Equal(boot, await CheckpointTests.BootIdAsync(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "off", metadataOnly: false));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    private static async Task SayAsync(LiveDomain domain, string word)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.SetAsync("word", word);
        await witness.PutAsync("vda", 1, word);
    }

    /// <summary>Behind the back of Coppice.</summary>
    private static async Task SaveVmAsync(LiveDomain domain, string name)
    {
        var process = (await domain.ShowAsync()).Catalog.Head.Process!.Value;
        await using var machine = await Machine.ConnectAsync(
            RunFolder.Of(new HomeFolder(domain.HomePath), process), TimeProvider.System, Cancellation);
        var said = await machine!.Qmp.ExecuteAsync(
            "human-monitor-command", new JsonObject { ["command-line"] = $"savevm \"{name}\"" }, TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal("", said.GetString());
    }

    private static async Task SnapshotAsync(LiveDomain domain, string name)
    {
        foreach (var disk in (await domain.ShowAsync()).Catalog.Head.Disks)
        {
            var image = LayerGraph.Of((await domain.ShowAsync()).Catalog)[disk.Layer].Path;
            using var make = Process.Start("qemu-img", ["snapshot", "-c", name, image]);
            await make.WaitForExitAsync(Cancellation);
            Assert.Equal(0, make.ExitCode);
        }
    }
}
