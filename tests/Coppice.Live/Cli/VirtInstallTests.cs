using Coppice.Live.Qemu;
using Coppice.Live.Tree;
using Coppice.Live.Witness;
using Coppice.Tests.Domains;

namespace Coppice.Live.Cli;

/// <summary>Domains as virt-install writes them, on the real QEMU, emulated.</summary>
public sealed class VirtInstallTests
{
    private const string Console = """<console type="pty"/>""";

    [Theory]
    [InlineData("pc")]
    [InlineData("q35")]
    [InlineData("desktop")]
    [InlineData("uefi")]
    [InlineData("tpm")]
    public async Task A_guest_is_defined_started_checkpointed_and_reverted_unmodified(string kind)
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        Assert.SkipWhen(kind == "uefi" && UefiTests.Missing is not null, UefiTests.Missing ?? "");
        if (kind == "tpm")
        {
            QemuPrograms.RequireTpm();
        }

        await using var home = new CliHome();
        await home.DoAsync("define", home.Write("web.xml", Document(kind, await home.ImageAsync("web.qcow2"))));
        await home.DoAsync("start", "web");
        await home.DoAsync("snapshot", "create", "web", "one");
        await home.DoAsync("snapshot", "revert", "web", "one");
        Assert.Contains("\"state\": \"running\"", await home.DoAsync("show", "web", "--json"), StringComparison.Ordinal);
        await home.DoAsync("kill", "web", "--yes");
    }

    [Theory]
    [InlineData("pc")]
    [InlineData("desktop")]
    public async Task A_Linux_that_uses_the_devices_lives_on_in_a_reverted_process(string kind)
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        await home.DoAsync("define", home.Write("web.xml", WithWitness(Document(kind, await home.ImageAsync("web.qcow2")))));
        await home.DoAsync("start", "web");
        await SayAsync(home, "first");
        await home.DoAsync("snapshot", "create", "web", "one");
        await SayAsync(home, "second");
        await home.DoAsync("snapshot", "revert", "web", "one");

        await using var witness = await ConnectAsync(home);
        Assert.Equal("first", await witness.GetAsync("word", Cancellation));
        Assert.Equal(0, (await witness.StatusAsync(Cancellation)).Bad);
    }

    [Fact]
    public async Task What_no_guest_can_have_yet_is_defined_and_named_at_the_start()
    {
        QemuPrograms.Require(QemuPrograms.Usual);
        await using var home = new CliHome();
        var document = Document("q35", await home.ImageAsync("web.qcow2"))
            .Replace("</devices>", "<redirdev bus='usb' type='spicevmc'/></devices>", StringComparison.Ordinal);
        await home.DoAsync("define", home.Write("web.xml", document));
        await home.RefuseAsync(["start", "web"], "<devices/redirdev> of domain 'web'", "remove it from the definition");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // virt-install names the QEMU that it found, which is another one where the suite runs on another.
    private static string Document(string kind, string image) => Written(kind, image).Replace(
        "/usr/bin/qemu-system-x86_64",
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(f => Path.Combine(f, QemuPrograms.Usual)).First(File.Exists),
        StringComparison.Ordinal);

    private static string Written(string kind, string image) => kind switch
    {
        "pc" => VirtInstall.Pc(image),
        "q35" => VirtInstall.Q35(image),
        "desktop" => VirtInstall.Desktop(image)
            .Replace("<watchdog", "<watchdog model=\"itco\" action=\"reset\"/><watchdog", StringComparison.Ordinal),
        "uefi" => VirtInstall.Uefi(image),
        _ => VirtInstall.Tpm(image),
    };

    private static string WithWitness(string document) => document
        .Replace(
            "<boot dev=\"hd\"/>",
            $"<kernel>{WitnessGuest.KernelPath}</kernel><initrd>{WitnessGuest.InitrdPath}</initrd><cmdline>{WitnessGuest.KernelCommandLine}</cmdline>",
            StringComparison.Ordinal)
        .Replace(
            Console, $"""{Console}<channel type="unix"><target type="virtio" name="{WitnessGuest.PortName}"/></channel>""",
            StringComparison.Ordinal);

    private static async Task SayAsync(CliHome home, string word)
    {
        await using var witness = await ConnectAsync(home);
        await witness.SetAsync("word", word, Cancellation);
    }

    private static async Task<WitnessClient> ConnectAsync(CliHome home)
    {
        var view = await LiveDomain.Open(home.Home).ShowAsync("web", Cancellation);
        return await WitnessClient.ConnectAsync(
            new FileInfo($"{view.Folder.Endpoints}/{WitnessGuest.PortName}").LinkTarget!, TimeSpan.FromSeconds(120), TimeProvider.System, Cancellation);
    }
}
