using System.Text.Json;
using Coppice.Live.Qemu;
using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>A process that a real command leaves behind, takes checksums, and goes.</summary>
public sealed class ChecksumTests
{
    [Fact]
    public async Task What_a_command_froze_is_read_by_a_process_of_its_own_which_goes_when_it_is_done()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        await using var home = new CliHome { Checksums = "" };
        var image = await home.ImageAsync("web.qcow2");
        await home.RunProgramAsync("qemu-io", "-f", "qcow2", "-c", "write -P 7 0 8M", image);
        await home.DoAsync("define", home.Write("web.xml", CliHome.Xml("web", image)));
        await home.DoAsync("snapshot", "create", "web", "one");
        await Aftermath.UntilAsync(() => HasLeftAsync(home), "who takes the checksum does not go");
        Assert.False(await IsUnverifiedAsync(home));
        var verified = await home.DoAsync("snapshot", "verify", "web", "--json");
        var states = JsonDocument.Parse(verified).RootElement.GetProperty("verified").EnumerateArray().Select(v => v.GetProperty("state").GetString());
        Assert.Equal(["intact"], states.Distinct());

        // The image is no longer what it was, and its time does not tell.
        var time = File.GetLastWriteTimeUtc(image);
        await home.RunProgramAsync("qemu-io", "-f", "qcow2", "-c", "write -P 8 0 64k", image);
        File.SetLastWriteTimeUtc(image, time);
        Assert.Equal(12, (await home.RunAsync("snapshot", "verify", "web")).ExitCode);

        await home.DoAsync("snapshot", "create", "web", "two");
        await home.DoAsync("undefine", "web", "--snapshots", "--yes");
        await Aftermath.UntilAsync(() => HasLeftAsync(home), "it outlives its domain");
        Assert.Empty(Directory.GetDirectories(Path.Combine(home.Home, "domains")));
    }

    private static async Task<bool> IsUnverifiedAsync(CliHome home) =>
        JsonDocument.Parse(await home.DoAsync("snapshot", "show", "web", "one", "--json")).RootElement
            .GetProperty("snapshot").GetProperty("unverified").GetBoolean();

    /// <summary>It has only what is left over of the processors. Where nothing is, it is given its share.</summary>
    private static async Task<bool> HasLeftAsync(CliHome home)
    {
        var left = Directory.EnumerateDirectories("/proc").Where(p => char.IsAsciiDigit(Path.GetFileName(p)[0]))
            .Where(p => LineOf(p) is var line && line.Contains(home.Home, StringComparison.Ordinal) && line.Contains("\0checksum\0", StringComparison.Ordinal))
            .ToArray();
        foreach (var process in left)
        {
            await home.RunProgramAsync("chrt", "--all-tasks", "--other", "--pid", "0", Path.GetFileName(process));
        }

        return left.Length == 0;
    }

    private static string LineOf(string process)
    {
        try
        {
            return File.ReadAllText($"{process}/cmdline");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
