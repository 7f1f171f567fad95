using Coppice.Contracts;
using Coppice.Live.Qemu;
using Coppice.Live.Storage;

namespace Coppice.Live.Cli;

/// <summary>Block devices by the command: what one is told is found out, and what cannot be is refused by name.</summary>
public sealed class BlockDeviceTests
{
    [Fact]
    public async Task A_device_is_used_by_one_domain_only_grows_by_its_owner_and_is_left_as_it_was()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        await using var home = new CliHome();
        using var device = await AttachAsync(home);
        await home.DoAsync("create", "one", "--disk", device.Path, "--memory", "32M");
        Assert.Contains($"<source dev=\"{device.Path}\"", await home.DoAsync("dumpxml", "one"), StringComparison.Ordinal);

        // Another node of the device, and a link to it, are the same device.
        var (node, link) = (Path.Combine(home.Folder, "node"), Path.Combine(home.Folder, "link"));
        Assert.Equal(0, (await home.RunProgramAsync("cp", ["-a", device.Path, node])).ExitCode);
        File.CreateSymbolicLink(link, device.Path);
        foreach (var name in new[] { node, link })
        {
            await home.RefuseAsync(["create", "two", "--disk", $"raw:{name}", "--memory", "32M"], device.Path, "is used by domain 'one'");
        }

        await home.RefuseAsync(["disk", "resize", "one", "vda", "64M"], device.Path, "only the host can make larger", "lvextend");
        device.SetSize(24 << 20);
        await home.DoAsync("snapshot", "create", "one", "base");
        var shown = await home.DoAsync("show", "one", "--json");
        Assert.Contains("\"virtualBytes\":25165824", shown.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);

        using (DeviceClaim.Of(device.Path))
        {
            await home.RefuseAsync(["start", "one"], device.Path, "this host uses it", "unmount");
            await home.RefuseAsync(["snapshot", "revert", "one", "base"], device.Path, "this host uses it");
        }

        await home.DoAsync("snapshot", "revert", "one", "base");
        await home.DoAsync("undefine", "one", "--snapshots", "--yes");
        Assert.True(device.IsAttached);
    }

    [Fact]
    public async Task What_is_not_what_the_definition_says_is_refused_naming_what_to_write()
    {
        await using var home = new CliHome();
        using var device = await AttachAsync(home);
        var file = await home.ImageAsync("file.raw");
        var fifo = Path.Combine(home.Folder, "fifo");
        Assert.Equal(0, (await home.RunProgramAsync("mkfifo", [fifo])).ExitCode);
        await RefusedAsync(CliHome.Xml("one", device.Path, "raw"), "is a block device", $"<source dev='{device.Path}'/>");
        var cdrom = CliHome.Xml("one", device.Path, "raw").Replace("device='disk'", "device='cdrom'", StringComparison.Ordinal);
        await RefusedAsync(cdrom.Replace(" snapshot='external'", "", StringComparison.Ordinal), "can only be the image of a disk", "name a file");
        await RefusedAsync(OnDevice(file), "is a regular file", $"<source file='{file}'/>");
        await RefusedAsync(OnDevice(fifo), "a FIFO, not a block device");
        await RefusedAsync(OnDevice("/dev/zero"), "a character device, not a block device");
        await RefusedAsync(OnDevice(home.Folder), "a folder, not a block device");
        await RefusedAsync(OnDevice("/dev/no-such-device"), "does not exist");
        await RefusedAsync(OnDevice(device.Path).Replace("'raw'", "'qcow2'", StringComparison.Ordinal), "qcow2 in the block device", "not supported");
        await RefusedAsync(OnDevice(device.Path).Replace("device='disk'", "device='cdrom'", StringComparison.Ordinal), "CD-ROM drive with the block device");

        Task RefusedAsync(string xml, params string[] parts) => home.RefuseAsync(["define", home.Write("domain.xml", xml)], parts);
    }

    private static string OnDevice(string path) => CliHome.Xml("one", path, "raw")
        .Replace("type='file'", "type='block'", StringComparison.Ordinal)
        .Replace("source file=", "source dev=", StringComparison.Ordinal);

    private static async Task<LoopDevice> AttachAsync(CliHome home)
    {
        var file = home.Write("device.raw", "");
        await using (var image = File.OpenWrite(file))
        {
            image.SetLength(16 << 20);
        }

        return LoopDevice.Attach(file);
    }
}
