using System.Text.Json;
using Coppice.Live.Qemu;
using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>Real guests that boot from a disk of a few hundred bytes, or do not, in forks that nobody sees afterwards.</summary>
public sealed class VerifyBootTests
{
    /// <summary>Reads 2 MiB of the disk that it was loaded from, piece by piece, and then halts for ever.</summary>
    private static readonly byte[] s_bootSector =
    [
        0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xC0, 0xB9, 0x40, 0x00, // ds = es = 0; 64 times:
        0x51, 0xBE, 0x1C, 0x7C, 0xB4, 0x42, 0xCD, 0x13, // read what the packet says,
        0x83, 0x06, 0x24, 0x7C, 0x40, 0x59, 0xE2, 0xF0, // go on 64 sectors further
        0xF4, 0xEB, 0xFD,
        0x10, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x10, 0x01, 0, 0, 0, 0, 0, 0, 0, // 64 sectors to 1000:0000, from the second on
        .. new byte[510 - 0x2C], 0x55, 0xAA,
    ];

    [Fact]
    public async Task A_snapshot_whose_disk_boots_is_told_from_one_whose_boot_sector_was_destroyed()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        await using var home = new CliHome();
        await GrowAsync(home);
        var run = await home.RunAsync("snapshot", "verify", "web", "--boot", "--for", "8", "--json");
        Assert.Equal(12, run.ExitCode);
        var booted = JsonDocument.Parse(run.Output).RootElement.GetProperty("booted").EnumerateArray()
            .ToDictionary(b => b.GetProperty("snapshot").GetProperty("name").GetString()!);
        Assert.Equal("runs", booted["good"].GetProperty("end").GetString());
        Assert.Equal("failed", booted["bad"].GetProperty("end").GetString());
        Assert.StartsWith("it has read only 512 B of its disks", booted["bad"].GetProperty("problem").GetString(), StringComparison.Ordinal);
        await NothingIsLeftAsync(home);
    }

    [Fact]
    public async Task A_fork_whose_manager_was_killed_goes_with_its_process_when_the_next_command_looks()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        await using var home = new CliHome();
        await GrowAsync(home);
        using var verify = home.Begin("snapshot", "verify", "web", "good", "--boot", "--for", "600");
        await Aftermath.UntilAsync(
            async () => (await home.DoAsync("list")).Contains("running", StringComparison.Ordinal), "the fork does not come to run");
        Assert.Single(LiveDomain.Processes(home.Home));
        verify.Kill();
        await verify.WaitForExitAsync(TestContext.Current.CancellationToken);
        await NothingIsLeftAsync(home);
    }

    private static async Task GrowAsync(CliHome home)
    {
        var (image, sector) = (await home.ImageAsync("web.qcow2"), Path.Combine(home.Folder, "sector"));
        await File.WriteAllBytesAsync(sector, s_bootSector, TestContext.Current.CancellationToken);
        await WriteAsync(home, $"write -s {sector} 0 512", image);
        await home.DoAsync("define", home.Write("web.xml", CliHome.Xml("web", image)));
        await home.DoAsync("snapshot", "create", "web", "good");
        var layer = Assert.Single(Directory.GetFiles(home.Home, "*.qcow2", SearchOption.AllDirectories).Concat(
            Directory.GetFiles(home.Folder, "*good*", SearchOption.AllDirectories)).Distinct());
        await WriteAsync(home, "write -P 0 0 512", layer);
        await home.DoAsync("snapshot", "create", "web", "bad");
    }

    private static async Task WriteAsync(CliHome home, string command, string image)
    {
        var run = await home.RunProgramAsync("qemu-io", "-f", "qcow2", "-c", command, image);
        Assert.True(run.ExitCode == 0, run.Errors + run.Output);
    }

    private static async Task NothingIsLeftAsync(CliHome home)
    {
        using var list = JsonDocument.Parse(await home.DoAsync("list", "--json"));
        Assert.Equal("web", Assert.Single(list.RootElement.GetProperty("domains").EnumerateArray()).GetProperty("name").GetString());
        Assert.Empty(LiveDomain.Processes(home.Home));
        Assert.Single(Directory.GetDirectories(Path.Combine(home.Home, "domains")));
    }
}
