using Coppice.Core;

namespace Coppice.Live.Tree;

/// <summary>A disk comes to a guest that runs and leaves it again; snapshots and reverts in between know which disks there were.</summary>
public sealed class HotPlugTests
{
    private const string RootPort = "<controller type='pci' model='pcie-root-port'/>";
    private const string Other = "copy";
    private const string ScsiController = "<controller type='scsi' model='virtio-scsi'/>";

    [Fact]
    public async Task A_guest_that_runs_gets_a_disk_keeps_it_through_a_revert_and_lets_go_of_it()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await domain.CreateAsync("one disk");
        await domain.AttachAsync("vdb");
        await SeesAsync(domain, LiveDomain.Name, "vda", "vdb");
        await WriteAsync(domain, "vdb", "added");
        await domain.CreateAsync("two disks");
        await WriteAsync(domain, "vdb", "later");
        var error = await Assert.ThrowsAsync<CoppiceException>(() => DetachAsync(domain, "vdb", discard: false));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        await DetachAsync(domain, "vdb", discard: true);
        await SeesAsync(domain, LiveDomain.Name, "vda");

        await domain.RevertAsync("two disks", discard: true);
        await SeesAsync(domain, LiveDomain.Name, "vda", "vdb");
        Assert.Equal("added", await ReadAsync(domain, "vdb"));
        await DetachAsync(domain, "vdb", discard: false);
        await SeesAsync(domain, LiveDomain.Name, "vda");
        await domain.RevertAsync("one disk", discard: true);
        await domain.RevertAsync("two disks", discard: true);
        Assert.Equal("added", await ReadAsync(domain, "vdb"));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    [Fact]
    public async Task A_disk_behind_a_root_port_or_on_SCSI_comes_to_a_q35_guest_and_leaves_it()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootEditedAsync((xml, _) => xml.Replace("machine='pc'", "machine='q35'", StringComparison.Ordinal)
            .Replace("<devices>", $"<devices>{string.Concat(Enumerable.Repeat(RootPort, 5))}{ScsiController}", StringComparison.Ordinal));
        await domain.AttachAsync("vdb");
        await domain.AttachAsync("sda");
        await SeesAsync(domain, LiveDomain.Name, "sda", "vda", "vdb");
        await WriteAsync(domain, "sda", "scsi");
        await domain.CreateAsync("three");
        await DetachAsync(domain, "sda", discard: true);
        await DetachAsync(domain, "vdb", discard: true);
        await SeesAsync(domain, LiveDomain.Name, "vda");
        await domain.RevertAsync("three", discard: true);
        await SeesAsync(domain, LiveDomain.Name, "sda", "vda", "vdb");
        Assert.Equal("scsi", await ReadAsync(domain, "sda"));

        foreach (var (disk, kind) in (IEnumerable<(string, ErrorKind)>)[("hdb", ErrorKind.InvalidInput), ("vdc", ErrorKind.MissingCapability)])
        {
            var error = await Assert.ThrowsAsync<CoppiceException>(() => domain.AttachAsync(disk));
            Assert.True(error.Kind == kind, $"{error}");
            Assert.Contains(disk, error.Message, StringComparison.Ordinal);
        }

        await SeesAsync(domain, LiveDomain.Name, "sda", "vda", "vdb");
    }

    [Fact]
    public async Task A_snapshots_disk_comes_to_another_guest_that_runs_and_stays_there_when_the_snapshot_is_gone_R243()
    {
        LiveDomain.Require();
        await using var domain = await LiveDomain.BootAsync("vda");
        await WriteAsync(domain, "vda", "frozen");
        await domain.CreateAsync("one");
        await domain.RunAsync(new ForkSnapshot(LiveDomain.Name, "one", Other) { State = ForkState.Running });
        await WriteAsync(domain, "vda", "later");
        await domain.RunAsync(new AttachSnapshotDisk(LiveDomain.Name, "one", "vda", Other) { Target = "vdb" });
        await domain.RunAsync(new AttachSnapshotDisk(LiveDomain.Name, "one", "vda", Other) { Target = "vdc", ReadOnly = true });
        await SeesAsync(domain, Other, "vda", "vdb", "vdc");
        Assert.Equal("frozen", await ReadAsync(domain, "vdc", Other));
        await WriteAsync(domain, "vdb", "its own", Other);

        await domain.RunAsync(new CreateSnapshot(Other) { Name = "three disks" });
        await domain.RunAsync(new DeleteSnapshot(LiveDomain.Name, ["one"]));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new RevertSnapshot(Other, "three disks", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        Assert.Equal("its own", await ReadAsync(domain, "vdb", Other));
        Assert.Equal("frozen", await ReadAsync(domain, "vdc", Other));
        Assert.Equal("frozen", await ReadAsync(domain, "vda", Other));
        await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
        Assert.Equal("later", await ReadAsync(domain, "vda"));
        Assert.Equal(0, await Aftermath.CountBrokenImagesAsync(domain));
    }

    private static Task<Engine.OperationResult> DetachAsync(LiveDomain domain, string disk, bool discard) =>
        domain.RunAsync(new DetachDisk(LiveDomain.Name, disk, discard));

    /// <summary>The guest hears of it an instant after the host has done it.</summary>
    private static async Task SeesAsync(LiveDomain domain, string name, params string[] disks)
    {
        await using var witness = await domain.ConnectAsync(name);
        for (var attempt = 0; ; attempt++)
        {
            string[] seen = [.. (await witness.DisksAsync()).Keys.Order(StringComparer.Ordinal)];
            if (seen.SequenceEqual(disks))
            {
                return;
            }

            Assert.True(attempt < 200, $"the guest sees {string.Join(", ", seen)} and not {string.Join(", ", disks)}");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    private static async Task WriteAsync(LiveDomain domain, string disk, string text, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        await witness.PutAsync(disk, 0, text);
    }

    private static async Task<string> ReadAsync(LiveDomain domain, string disk, string name = LiveDomain.Name)
    {
        await using var witness = await domain.ConnectAsync(name);
        return await witness.ReadAsync(disk, 0);
    }
}
