using Coppice.Live.Qemu;

namespace Coppice.Live.Cli;

public sealed class LongHomeTests
{
    [Fact]
    public async Task A_home_whose_path_is_longer_than_the_address_of_a_socket_works()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        await using var home = new CliHome { HomeName = new string('h', 150) };
        var xml = CliHome.Xml("web", await home.ImageAsync("a.qcow2"))
            .Replace("</devices>", "<serial type='pty'/><graphics type='vnc' port='-1'/></devices>", StringComparison.Ordinal);
        await home.DoAsync("define", home.Write("web.xml", xml));
        await home.DoAsync("start", "web");
        await home.DoAsync("snapshot", "create", "web", "one");
        await home.DoAsync("snapshot", "revert", "web", "one");
        Assert.Contains("\"state\": \"running\"", await home.DoAsync("show", "web", "--json"), StringComparison.Ordinal);
        var console = await home.TypeAsync("\u001d", "console", "web");
        Assert.True(console.ExitCode == 0, console.Errors);
        await home.DoAsync("kill", "web", "--yes");
    }
}
