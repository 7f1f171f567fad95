using System.Diagnostics;
using Coppice.Engine;
using Coppice.Live.Qemu;
using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>Bad input and bad luck: a clear error that names the thing, nothing lost, nothing half done.</summary>
public sealed class HostileInputTests
{
    private const string Canary = "the-canary-sings";

    [Fact]
    public async Task Hostile_XML_is_refused_and_defines_nothing()
    {
        await using var home = new CliHome();
        var canary = home.Write("canary", Canary);
        string[] documents =
        [
            "not xml at all",
            "<domain",
            "<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;']><domain><name>&c;</name></domain>",
            $"<!DOCTYPE d [<!ENTITY x SYSTEM 'file://{canary}'>]><domain><name>&x;</name></domain>",
            "<domain type='qemu'>" + string.Concat(Enumerable.Repeat("<a>", 100_000)),
            "<domainsnapshot/>",
            "<domain type='qemu'><name>x</name></domain>",
        ];
        foreach (var document in documents)
        {
            var run = await home.RunAsync("define", home.Write("bad.xml", document));
            Assert.True(run.ExitCode is > 0 and < 128, $"{document[..Math.Min(60, document.Length)]}: {run.Output}{run.Errors}");
            Assert.DoesNotContain(Canary, run.Errors + run.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
        }

        await AssertNoDomainAsync(home);
    }

    [Fact]
    public async Task A_document_of_100_MB_is_refused_unread()
    {
        await using var home = new CliHome();
        var path = Path.Combine(home.Folder, "huge.xml");
        await using (var file = File.Create(path))
        {
            file.SetLength(100_000_000);
        }

        await home.RefuseAsync(["define", path], "huge.xml");
        await AssertNoDomainAsync(home);
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("two\nlines")]
    [InlineData("")]
    public async Task Names_that_could_mislead_are_refused(string name)
    {
        await using var home = new CliHome();
        var image = await home.ImageAsync("vda.qcow2");
        await home.RefuseAsync(["create", name, "--disk", image, "--memory", "32M"]);
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", image)));
        await home.RefuseAsync(["snapshot", "create", "web", name]);
        await home.DoAsync("snapshot", "create", "web", "good");
        await home.RefuseAsync(["snapshot", "rename", "web", "good", name]);
        await home.RefuseAsync(["snapshot", "create", "web", new string('x', 4096)], "255");
        Assert.Contains("good", await home.DoAsync("snapshot", "list", "web"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_image_is_named()
    {
        await using var home = new CliHome();
        var missing = Path.Combine(home.Folder, "missing.qcow2");
        await home.RefuseAsync(["define", home.Write("d.xml", CliHome.Xml("web", missing))], missing);
        await AssertNoDomainAsync(home);
    }

    [Fact]
    public async Task One_image_cannot_be_the_disk_of_two_domains()
    {
        await using var home = new CliHome();
        var image = await home.ImageAsync("vda.qcow2");
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("first", image)));
        await home.RefuseAsync(["define", home.Write("e.xml", CliHome.Xml("second", image))], "first", image);
    }

    [Fact]
    public async Task An_image_that_another_QEMU_uses_is_named_and_the_domain_stays_off()
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        var image = await home.ImageAsync("vda.qcow2");
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", image)));
        using var other = Process.Start(new ProcessStartInfo(QemuPrograms.Usual,
        [
            "-nodefaults", "-display", "none", "-machine", "none", "-blockdev",
            $$"""{"driver":"qcow2","node-name":"n","file":{"driver":"file","filename":"{{image}}"} }""", "-S", "-monitor", "stdio",
        ]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        try
        {
            await other.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
            await home.RefuseAsync(["start", "web"], "vda");
            Assert.Contains("off", await home.DoAsync("list"), StringComparison.Ordinal);
        }
        finally
        {
            other.Kill();
            await other.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await home.DoAsync("start", "web");
    }

    [Fact]
    public async Task A_backing_chain_that_leads_elsewhere_is_refused_and_the_canary_stays_silent()
    {
        await using var home = new CliHome();
        Directory.CreateDirectory(Path.Combine(home.Folder, "secret"));
        var canary = home.Write("secret/canary", Canary + new string('.', 4096));
        string[] backings = [canary, $$"""json:{"driver":"raw","file":{"driver":"file","filename":"{{canary}}"} }""", "nbd://127.0.0.1:1/x", "../secret/canary"];
        Directory.CreateDirectory(Path.Combine(home.Folder, "images"));
        foreach (var backing in backings)
        {
            var image = await home.ImageAsync($"images/{Guid.NewGuid():N}.qcow2", "-u", "-F", "raw", "-b", backing);
            var run = await home.RunAsync("define", home.Write("d.xml", CliHome.Xml("web", image)));
            Assert.True(run.ExitCode is > 0 and < 128, $"{backing}: {run.Output}");
            Assert.DoesNotContain(Canary, run.Output + run.Errors, StringComparison.Ordinal);
        }

        await AssertNoDomainAsync(home);
    }

    [Fact]
    public async Task A_chain_that_changed_behind_our_back_is_refused_before_QEMU_opens_it()
    {
        await using var home = new CliHome();
        var image = await home.ImageAsync("vda.qcow2");
        var canary = home.Write("canary", Canary + new string('.', 4096));
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", image)));
        await home.RunProgramAsync("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "raw", "-b", canary, image);

        await home.RefuseAsync(["start", "web"], "vda");
        await home.RefuseAsync(["snapshot", "create", "web", "s1"], "vda");
    }

    [Fact]
    public async Task A_full_disk_refuses_a_checkpoint_and_loses_nothing()
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        await using var small = await SmallDisk.MountAsync(home.Home, "6M");
        Assert.SkipWhen(small is null, "only root can mount a small tmpfs");
        var image = await home.ImageAsync("vda.qcow2");
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", image)));
        await home.DoAsync("start", "web");
        await home.DoAsync("snapshot", "create", "web", "before", "--disk-only");
        var before = Directory.GetFiles(home.Home, "*", SearchOption.AllDirectories).Order().ToArray();

        await File.WriteAllBytesAsync(Path.Combine(home.Home, "filler"), new byte[4 << 20], TestContext.Current.CancellationToken);
        await home.RefuseAsync(["snapshot", "create", "web", "full"]);
        Assert.Contains("running", await home.DoAsync("list"), StringComparison.Ordinal);
        File.Delete(Path.Combine(home.Home, "filler"));

        await home.DoAsync("snapshot", "current", "web");
        Assert.Equal(before, Directory.GetFiles(home.Home, "*", SearchOption.AllDirectories).Order());
        await home.DoAsync("kill", "web", "--yes");
    }

    [Fact]
    public async Task A_QEMU_killed_from_outside_leaves_a_domain_that_is_off_and_starts_again()
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", await home.ImageAsync("vda.qcow2"))));
        await home.DoAsync("start", "web");
        await LiveDomain.EndAllAsync(home.Home);

        Assert.Contains("off", await home.DoAsync("list"), StringComparison.Ordinal);
        await home.RefuseAsync(["pause", "web"], "web", "not running");
        await home.DoAsync("start", "web");
        Assert.Contains("running", await home.DoAsync("list"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_commands_at_once_take_turns()
    {
        await using var home = new CliHome();
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", await home.ImageAsync("vda.qcow2"))));
        var runs = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => home.RunAsync("snapshot", "create", "web", $"s{i}")));

        Assert.All(runs, r => Assert.True(r.ExitCode == 0, r.Errors));
        var list = await home.DoAsync("snapshot", "list", "web");
        Assert.All(Enumerable.Range(0, 4), i => Assert.Contains($"s{i}", list, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_catalog_of_an_unknown_version_is_refused_and_left_alone()
    {
        await using var home = new CliHome();
        await home.DoAsync("define", home.Write("d.xml", CliHome.Xml("web", await home.ImageAsync("vda.qcow2"))));
        var root = Directory.GetFiles(home.Home, "root.json", SearchOption.AllDirectories).Single();
        var text = (await File.ReadAllTextAsync(root, TestContext.Current.CancellationToken)).Replace($"\"version\": {CatalogStore.Version}", "\"version\": 99", StringComparison.Ordinal);
        await File.WriteAllTextAsync(root, text, TestContext.Current.CancellationToken);

        await home.RefuseAsync(["snapshot", "create", "web", "s1"], "99");
        Assert.Equal(text, await File.ReadAllTextAsync(root, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_cannot_be_started_is_named_at_start_and_not_at_define()
    {
        await using var home = new CliHome();
        var xml = CliHome.Xml("web", await home.ImageAsync("vda.qcow2"))
            .Replace("</devices>", "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='0' slot='3' function='0'/></source></hostdev></devices>", StringComparison.Ordinal);
        await home.DoAsync("define", home.Write("d.xml", xml));
        await home.RefuseAsync(["start", "web"], "hostdev");
    }

    private static async Task AssertNoDomainAsync(CliHome home)
    {
        await home.DoAsync("list");
        Assert.Empty(Directory.Exists($"{home.Home}/domains") ? Directory.GetDirectories($"{home.Home}/domains") : []);
    }
}
