using System.Diagnostics;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Live.Cli;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Live.Tree;

/// <summary>What goes wrong elsewhere: data lost or mixed up by snapshots of several kinds, reverts that leave a domain off.</summary>
public sealed class DefectTests
{
    [Fact]
    public async Task Writing_after_a_revert_to_an_internal_snapshot_changes_no_external_one()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "inside");
        await domain.RunAsync(Disks("i1", DiskMode.Internal));
        await SayAsync(domain, "outside");
        await domain.RunAsync(Disks("x1", DiskMode.External));

        await RevertAsync(domain, "i1");
        Assert.Equal("inside", await HearAsync(domain));
        await SayAsync(domain, "something else");
        await RevertAsync(domain, "x1");
        Assert.Equal("outside", await HearAsync(domain));
        await RevertAsync(domain, "i1");
        Assert.Equal("inside", await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task Deleting_a_branch_takes_nothing_from_another_one()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        foreach (var name in (string[])["e1", "e2"])
        {
            await SayAsync(domain, name);
            await domain.RunAsync(Disks(name, DiskMode.External));
        }

        await RevertAsync(domain, "e1");
        await SayAsync(domain, "e4");
        await domain.RunAsync(Disks("e4", DiskMode.External));
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "e4", metadataOnly: false));
        await RevertAsync(domain, "e1");
        await RevertAsync(domain, "e2");
        Assert.Equal("e2", await HearAsync(domain));
    }

    [Fact]
    public async Task A_revert_whose_memory_file_is_gone_is_refused_and_the_guest_runs_on()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.CreateAsync("s1");
        var boot = await CheckpointTests.BootIdAsync(domain);
        var file = (await domain.ShowAsync()).Catalog.Find("s1").Memory.File!;
        File.Delete(file);

        var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.RevertAsync("s1"));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
        Assert.Equal(boot, await CheckpointTests.BootIdAsync(domain));
        await Aftermath.TouchAsync(domain, "s1");
        Assert.Single(domain.QemuProcesses);
    }

    [Fact]
    public async Task A_revert_to_an_internal_snapshot_that_somebody_else_removed_is_refused_and_the_domain_starts()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.RunAsync(new CreateSnapshot(LiveDomain.Name)
        {
            Name = "s1",
            Memory = new MemoryRequest(MemoryMode.Internal),
            Disks = [new DiskRequest("vda", DiskMode.Internal)],
        });
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        var catalog = (await domain.ShowAsync()).Catalog;
        var layer = LayerGraph.Of(catalog)[catalog.Find("s1").Memory.Layer!.Value];
        using (var delete = Process.Start("qemu-img", ["snapshot", "-q", "-d", layer.Inside!.Tag, layer.Path]))
        {
            await delete.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, delete.ExitCode);
        }

        var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.RevertAsync("s1"));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains(layer.Inside.Tag, error.Message, StringComparison.Ordinal);
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "s1", metadataOnly: false));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        await using var witness = await domain.ConnectAsync();
    }

    [Fact]
    public async Task A_revert_to_an_external_snapshot_works_when_none_is_current()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "e1");
        await domain.RunAsync(Disks("e1", DiskMode.External));
        await SayAsync(domain, "e2");
        await domain.RunAsync(Disks("e2", DiskMode.External));
        await RevertAsync(domain, "e1");

        // No snapshot is current once the only one on the way to the head is no longer known.
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, "e1", metadataOnly: true));
        Assert.Null((await domain.ShowAsync()).Catalog.Current);
        await SayAsync(domain, "nowhere");
        await RevertAsync(domain, "e2");
        Assert.Equal("e2", await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task A_disk_that_somebody_committed_by_hand_is_not_built_on_and_keeps_what_the_guest_wrote()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "before");
        await domain.RunAsync(Disks("e1", DiskMode.External));
        await SayAsync(domain, "after");
        var head = await HeadAsync(domain);
        await using (var qmp = await MonitorAsync(domain))
        {
            await qmp.ExecuteAsync("block-commit", Job(head), Cancellation);
            await UntilAsync(qmp, "ready");
            await qmp.ExecuteAsync("job-complete", new JsonObject { ["id"] = "by-hand" }, Cancellation);
            await UntilAsync(qmp, "");
        }

        await SayAsync(domain, "last");
        Request[] requests =
        [
            Disks("e2", DiskMode.External), new SaveDomain(LiveDomain.Name),
            new RevertSnapshot(LiveDomain.Name, "e1", RevertState.Running, DiscardCurrent: true, Force: true),
            new DeleteSnapshot(LiveDomain.Name, "e1", metadataOnly: false),
        ];
        foreach (var request in requests)
        {
            var moved = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(request));
            Assert.Contains($"is written to {domain.ImagePath("vda")}", moved.Problem, StringComparison.Ordinal);
        }

        Assert.Equal("last", await HearAsync(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        var start = new StartDomain(LiveDomain.Name, Paused: false);
        var stale = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(start));
        Assert.Contains("after snapshot 'e1' froze it", stale.Problem, StringComparison.Ordinal);
        await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "e1", RevertState.Running, DiscardCurrent: true, Force: true));
        Assert.Equal("last", await HearAsync(domain));
        await domain.RunAsync(Disks("e2", DiskMode.External));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task A_disk_that_somebody_streamed_by_hand_is_whole_again_once_its_link_is_put_back()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await SayAsync(domain, "before");
        await domain.RunAsync(Disks("e1", DiskMode.External));
        await SayAsync(domain, "after");
        var head = await HeadAsync(domain);
        await using (var qmp = await MonitorAsync(domain))
        {
            await qmp.ExecuteAsync("block-stream", Job(head), Cancellation);
            await UntilAsync(qmp, "");
        }

        var stale = await Assert.ThrowsAsync<CoppiceException>(() => domain.RunAsync(Disks("e2", DiskMode.External)));
        Assert.Contains("names no backing file", stale.Problem, StringComparison.Ordinal);
        Assert.Contains("qemu-img rebase -u -F qcow2", stale.NextStep, StringComparison.Ordinal);
        Assert.Equal("after", await HearAsync(domain));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        string[] link = ["-F", "qcow2", "-b", domain.ImagePath("vda"), head.Path];
        using (var rebase = Process.Start("qemu-img", ["rebase", "-q", "-u", "-f", "qcow2", .. link]))
        {
            await rebase.WaitForExitAsync(Cancellation);
            Assert.Equal(0, rebase.ExitCode);
        }

        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("after", await HearAsync(domain));
        await domain.RunAsync(Disks("e2", DiskMode.External));
        await RevertAsync(domain, "e1");
        Assert.Equal("before", await HearAsync(domain));
        await RevertAsync(domain, "e2");
        Assert.Equal("after", await HearAsync(domain));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task A_disk_that_is_full_while_memory_goes_into_it_is_named_and_the_guest_goes_on()
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        await using var small = await SmallDisk.MountAsync(Path.Combine(home.Folder, "images"), "700K");
        Assert.SkipWhen(small is null, "only root can mount a small tmpfs");
        var image = await home.ImageAsync("images/vda.qcow2");
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", image)));
        await home.DoAsync("start", "web");
        await home.RefuseAsync(["snapshot", "create", "web", "full", "--memory", "internal"], "space");
        Assert.Contains("running", await home.DoAsync("list"), StringComparison.Ordinal);
        Assert.DoesNotContain("full", await home.DoAsync("snapshot", "list", "web"), StringComparison.Ordinal);
        await home.DoAsync("kill", "web", "--yes");
        var check = await home.RunProgramAsync("qemu-img", "check", "-q", "-f", "qcow2", image);
        Assert.True(check.ExitCode == 0, check.Errors);
        var left = await home.RunProgramAsync("qemu-img", "snapshot", "-l", image);
        Assert.DoesNotContain("full", left.Output, StringComparison.Ordinal);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static JsonObject Job(Layer head) => new() { ["job-id"] = "by-hand", ["device"] = BlockNodes.NameOf(head.Id) };

    private static async Task<Layer> HeadAsync(LiveDomain domain)
    {
        var catalog = (await domain.ShowAsync()).Catalog;
        return LayerGraph.Of(catalog)[catalog.Head.Disks[0].Layer];
    }

    /// <summary>A monitor of the process, as somebody finds it who does not ask Coppice.</summary>
    private static async Task<QmpConnection> MonitorAsync(LiveDomain domain)
    {
        var view = await domain.ShowAsync();
        var folder = RunFolder.Of(view.Folder.Home, view.Catalog.Head.Process!.Value);
        return await QmpConnection.ConnectAsync(
            folder.Readers, "the guest", () => true, TimeProvider.System, TimeSpan.FromSeconds(30), Cancellation);
    }

    /// <summary>Waits until the job is in a state, or has gone.</summary>
    private static Task UntilAsync(QmpConnection qmp, string status) => Aftermath.UntilAsync(
        async () =>
        {
            var jobs = (await qmp.ExecuteAsync("query-jobs", null, Cancellation)).Items().ToArray();
            return status.Length == 0 ? jobs.Length == 0 : jobs.Any(j => j.TextOrEmpty("status") == status);
        },
        $"the job is not {status}");

    private static CreateSnapshot Disks(string name, DiskMode mode) =>
        new(LiveDomain.Name) { Name = name, DiskOnly = true, Disks = [new DiskRequest("vda", mode)] };

    private static Task<OperationResult> RevertAsync(LiveDomain domain, string name) =>
        domain.RunAsync(new RevertSnapshot(LiveDomain.Name, name, RevertState.Running, DiscardCurrent: true, Force: false));

    private static async Task SayAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.PutAsync("vda", 0, text.Replace(' ', '-'));
    }

    private static async Task<string> HearAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return await witness.ReadAsync("vda", 0);
    }
}
