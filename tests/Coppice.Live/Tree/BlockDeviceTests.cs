using System.Security.Cryptography;
using Coppice.Core;
using Coppice.Live.Storage;

namespace Coppice.Live.Tree;

/// <summary>
/// A guest whose disk is a block device. Its snapshots are layers in the domain's folder; the device keeps what it held when the
/// first of them froze it, and is what it was when the domain is gone.
/// </summary>
public sealed class BlockDeviceTests
{
    private const int Note = 3;
    private const long Small = 32L << 20, Large = 48L << 20, Larger = 64L << 20;
    private const long NeverWritten = 24L << 20, Length = 1L << 20;

    [Fact]
    public async Task A_guest_goes_back_to_every_kind_of_snapshot_and_the_device_stays_as_it_was_frozen()
    {
        LiveDomain.Require();
        var file = Path.Combine(Path.GetTempPath(), $"cb-{Guid.NewGuid():N}.raw");
        try
        {
            await File.WriteAllBytesAsync(file, new byte[Small], TestContext.Current.CancellationToken);
            using var device = LoopDevice.Attach(file);
            await using var domain = await LiveDomain.BootEditedAsync((xml, folder) => OnDevice(xml, folder, device.Path));

            // Made larger by its owner: the guest hears of it when the manager is told.
            device.SetSize(Large);
            await domain.RunAsync(new ResizeDisk(LiveDomain.Name, "vda", new ByteCount(Large)));
            await SeesAsync(domain, Large);
            await PutAsync(domain, "with memory");
            await domain.CreateAsync("with memory");
            var frozen = await HashAsync(device.Path);
            await PutAsync(domain, "disk only");
            await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "disk only", DiskOnly = true });
            await PutAsync(domain, "off");
            await domain.RevertAsync("with memory");
            Assert.Equal("with memory", await ReadAsync(domain));
            await domain.RunAsync(new UndoRevert(LiveDomain.Name));
            Assert.Equal("off", await ReadAsync(domain));

            await domain.RunAsync(new KillDomain(LiveDomain.Name));
            await domain.RunAsync(new CreateSnapshot(LiveDomain.Name) { Name = "off", Disks = [new DiskRequest("vda", DiskMode.External)] });
            await domain.RunAsync(new RevertSnapshot(LiveDomain.Name, "disk only", RevertState.Running, DiscardCurrent: true, Force: false));
            Assert.Equal("disk only", await ReadAsync(domain));
            await AppendNoiseAsync(device);
            await domain.RevertAsync("off", discard: true);
            await domain.RunAsync(new ResizeDisk(LiveDomain.Name, "vda", new ByteCount(Larger)));
            await domain.RunAsync(new StartDomain(LiveDomain.Name, Paused: false));
            Assert.Equal("off", await ReadAsync(domain));
            await using (var witness = await domain.ConnectAsync())
            {
                Assert.Equal(Larger, (await witness.DisksAsync())["vda"]);
                Assert.Equal(await witness.ChecksumAsync("vda", NeverWritten, Length), await witness.ChecksumAsync("vda", Large, Length));
            }

            Assert.Equal(frozen, await HashAsync(device.Path));
            await UndefineLeavesAsync(domain, device);
            Assert.Equal(frozen, await HashAsync(device.Path));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>What was somebody else's becomes the end of the device; no layer must show it, though it may grow so far.</summary>
    private static async Task AppendNoiseAsync(LoopDevice device)
    {
        device.SetSize(Larger);
        using var open = File.OpenHandle(device.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        var noise = Enumerable.Repeat((byte)0xA5, (int)Length).ToArray();
        await RandomAccess.WriteAsync(open, noise, Large, TestContext.Current.CancellationToken);
        RandomAccess.FlushToDisk(open);
    }

    private static async Task SeesAsync(LiveDomain domain, long bytes)
    {
        await using var witness = await domain.ConnectAsync();
        for (var attempt = 0; (await witness.DisksAsync())["vda"] != bytes; attempt++)
        {
            Assert.True(attempt < 200, $"the guest sees {(await witness.DisksAsync())["vda"]} bytes");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    private static async Task UndefineLeavesAsync(LiveDomain domain, LoopDevice device)
    {
        var view = await domain.ShowAsync();
        var layers = LayerGraph.Of(view.Catalog).All.Where(l => l.Type is StorageType.File).ToArray();
        Assert.NotEmpty(layers);
        Assert.All(layers, l => Assert.StartsWith($"{view.Folder.Images("vda")}/", l.Path, StringComparison.Ordinal));
        await domain.RunAsync(new KillDomain(LiveDomain.Name));
        await domain.RunAsync(new UndefineDomain(LiveDomain.Name, Snapshots: true));
        Assert.False(Directory.Exists(view.Folder.Path));
        Assert.True(device.IsAttached);
    }

    private static string OnDevice(string xml, string folder, string device) => xml
        .Replace("<disk type='file' device='disk'>", "<disk type='block' device='disk' snapshot='external'>", StringComparison.Ordinal)
        .Replace("<driver name='qemu' type='qcow2'/>", "<driver name='qemu' type='raw'/>", StringComparison.Ordinal)
        .Replace($"<source file='{folder}/vda.qcow2'/>", $"<source dev='{device}'/>", StringComparison.Ordinal);

    private static async Task PutAsync(LiveDomain domain, string text)
    {
        await using var witness = await domain.ConnectAsync();
        await witness.PutAsync("vda", Note, text);
    }

    private static async Task<string> ReadAsync(LiveDomain domain)
    {
        await using var witness = await domain.ConnectAsync();
        return await witness.ReadAsync("vda", Note);
    }

    private static async Task<string> HashAsync(string path)
    {
        using var open = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var content = new byte[Large];
        for (var read = 0; read < content.Length;)
        {
            var count = await RandomAccess.ReadAsync(open, content.AsMemory(read), read, TestContext.Current.CancellationToken);
            Assert.NotEqual(0, count);
            read += count;
        }

        return Convert.ToHexString(SHA256.HashData(content));
    }
}
