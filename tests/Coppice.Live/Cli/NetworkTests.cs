using Coppice.Live.Tree;
using Coppice.Live.Witness;
using Coppice.Qemu.Networks;

namespace Coppice.Live.Cli;

/// <summary>
/// Guests on the networks of a host of their own. The oracle is whether the guest's kernel answers echo requests: its card, its
/// driver's memory of the card, and what is at the other end of the card must fit each other.
/// </summary>
public sealed class NetworkTests
{
    /// <summary>The address that the witness guest takes.</summary>
    private const string Guest = "10.0.2.15";

    // A guest that was just booted may take a while; one that runs answers at once, unless a busy host loses a frame.
    private const int Booting = 60, Running = 5, Never = 1;

    [Fact]
    public async Task A_guest_on_a_bridge_answers_through_checkpoint_revert_and_undo_and_is_left_alone_when_the_bridge_is_gone()
    {
        LiveDomain.Require();
        await using var network = await PrivateNetwork.MakeAsync(
            "link add br0 type bridge", "link set br0 address 02:00:00:00:00:01", "addr add 10.0.2.1/24 dev br0", "link set br0 up");
        await using var home = new CliHome { Starter = network.Enter };
        await DefineAsync(home, "<interface type='user'/>");
        await home.DoAsync("start", "web");
        await SayAsync(home, "on user networking");
        await home.DoAsync("snapshot", "create", "web", "user");
        Assert.Empty(await network.PortsAsync("br0"));
        Assert.False(await network.AnswersAsync(Guest, Never));
        await home.DoAsync("kill", "web", "--yes");

        await DefineAsync(home, "<interface type='bridge'><source bridge='br0'/></interface>");
        await home.DoAsync("start", "web");
        Assert.True(await network.AnswersAsync(Guest, Booting));
        var first = Assert.Single(await network.PortsAsync("br0"));
        await SayAsync(home, "first");
        await home.DoAsync("snapshot", "create", "web", "one");
        Assert.True(await network.AnswersAsync(Guest, Running));
        Assert.Equal([first], await network.PortsAsync("br0"));

        await SayAsync(home, "second");
        await home.DoAsync("snapshot", "revert", "web", "one");
        Assert.True(await network.AnswersAsync(Guest, Running));
        Assert.NotEqual(first, Assert.Single(await network.PortsAsync("br0")));
        Assert.Equal("first", await HearAsync(home));
        await home.DoAsync("snapshot", "undo", "web");
        Assert.True(await network.AnswersAsync(Guest, Running));
        Assert.Equal("second", await HearAsync(home));

        // The card is the same on every network, so memory that was kept on one fits a process on another.
        await home.DoAsync("snapshot", "revert", "web", "user");
        Assert.Empty(await network.PortsAsync("br0"));
        Assert.Equal("on user networking", await HearAsync(home));
        await home.DoAsync("snapshot", "revert", "web", "one");
        Assert.True(await network.AnswersAsync(Guest, Running));

        await network.IpAsync("link delete br0");
        await home.RefuseAsync(["snapshot", "revert", "web", "one"], "bridge 'br0' of interface", "does not exist", "ip link add br0 type bridge");
        Assert.Equal("first", await HearAsync(home));
        await home.DoAsync("kill", "web", "--yes");
        Assert.Equal("lo", (await network.IpAsync("-o link show")).Split(": ")[1]);
    }

    [Fact]
    public async Task A_tap_device_of_the_administrator_follows_the_guest_from_process_to_process()
    {
        LiveDomain.Require();
        await using var network = await PrivateNetwork.MakeAsync(
            "tuntap add dev tap7 mode tap", "addr add 10.0.2.1/24 dev tap7", "link set tap7 up",
            "link add plain type bridge");
        await using var home = new CliHome { Starter = network.Enter };
        await DefineAsync(home, "<interface type='ethernet'><target dev='tap7' managed='no'/></interface>");
        await home.DoAsync("start", "web");
        Assert.True(await network.AnswersAsync(Guest, Booting));
        await SayAsync(home, "first");
        await home.DoAsync("snapshot", "create", "web", "one");
        Assert.True(await network.AnswersAsync(Guest, Running));
        await SayAsync(home, "second");
        await home.DoAsync("snapshot", "revert", "web", "one");
        Assert.True(await network.AnswersAsync(Guest, Running));
        Assert.Equal("first", await HearAsync(home));
        await home.DoAsync("snapshot", "undo", "web");
        Assert.True(await network.AnswersAsync(Guest, Running));
        Assert.Equal("second", await HearAsync(home));

        var image = await home.ImageAsync("other.qcow2");
        await home.DoAsync("create", "other", "--disk", image, "--memory", "32M", "--network", "tap=tap7");
        await home.RefuseAsync(["start", "other"], "tap device 'tap7' of interface", $"process {TapHolder.Of("tap7")!.Pid} (", "stop the domain");
        await home.DoAsync("save", "web");
        await home.DoAsync("start", "other");
        await home.RefuseAsync(["start", "web"], "tap device 'tap7'", "domain 'web'");
        await home.DoAsync("kill", "other", "--yes");
        await home.DoAsync("start", "web");
        Assert.True(await network.AnswersAsync(Guest, Running));
        await home.DoAsync("kill", "web", "--yes");
        Assert.Contains("tap7", await network.IpAsync("-o link show"), StringComparison.Ordinal);

        foreach (var (named, problem) in ((string, string)[])[("tap=plain", "is no tap device"), ("bridge=lo", "is no bridge"), ("tap=tap8", "does not exist")])
        {
            await home.DoAsync("undefine", "other");
            await home.DoAsync("create", "other", "--disk", image, "--memory", "32M", "--network", named);
            await home.RefuseAsync(["start", "other"], named.Split('=')[1], problem);
        }
    }

    [Fact]
    public async Task A_device_that_is_made_for_the_domain_has_its_name_and_a_cable_that_is_pulled_stays_so()
    {
        LiveDomain.Require();
        await using var network = await PrivateNetwork.MakeAsync(
            "link add br0 type bridge", "link set br0 address 02:00:00:00:00:01", "addr add 10.0.2.1/24 dev br0", "link set br0 mtu 1400 up");
        await using var home = new CliHome { Starter = network.Enter };
        await DefineAsync(
            home, "<interface type='bridge'><source bridge='br0'/><target dev='web0'/><link state='down'/></interface>");
        await home.DoAsync("start", "web");
        await SayAsync(home, "first");
        Assert.Equal(["web0"], await network.PortsAsync("br0"));
        Assert.Contains("mtu 1400", await network.IpAsync("-o link show web0"), StringComparison.Ordinal);
        Assert.False(await network.AnswersAsync(Guest, Never));
        await home.DoAsync("snapshot", "create", "web", "one");
        await home.DoAsync("snapshot", "revert", "web", "one");
        Assert.Equal(["web0"], await network.PortsAsync("br0"));
        Assert.False(await network.AnswersAsync(Guest, Never));
        await home.DoAsync("kill", "web", "--yes");
        Assert.Empty(await network.PortsAsync("br0"));

        await network.IpAsync("tuntap add dev web0 mode tap");
        await home.RefuseAsync(["start", "web"], "tap device 'web0'", "this host has a network device of that name", "managed='no'");
        Assert.Empty(await network.PortsAsync("br0"));
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A domain with the witness guest and a card on a network, under one uuid.</summary>
    private static async Task DefineAsync(CliHome home, string card)
    {
        var image = Path.Combine(home.Folder, "web.qcow2");
        var xml = CliHome.Xml("web", File.Exists(image) ? image : await home.ImageAsync("web.qcow2"))
            .Replace("<memory", "<uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid><memory", StringComparison.Ordinal)
            .Replace("<memory unit='MiB'>32", "<memory unit='MiB'>144", StringComparison.Ordinal)
            .Replace(
                "</type></os>",
                $"</type><kernel>{WitnessGuest.KernelPath}</kernel><initrd>{WitnessGuest.InitrdPath}</initrd><cmdline>{WitnessGuest.KernelCommandLine}</cmdline></os>",
                StringComparison.Ordinal)
            .Replace(
                "</devices>",
                $"{card}<channel type='unix'><target type='virtio' name='{WitnessGuest.PortName}'/></channel></devices>",
                StringComparison.Ordinal);
        await home.DoAsync("define", home.Write("web.xml", xml));
    }

    private static async Task SayAsync(CliHome home, string word)
    {
        await using var witness = await ConnectAsync(home);
        await witness.SetAsync("word", word, Cancellation);
    }

    private static async Task<string?> HearAsync(CliHome home)
    {
        await using var witness = await ConnectAsync(home);
        return await witness.GetAsync("word", Cancellation);
    }

    private static async Task<WitnessClient> ConnectAsync(CliHome home)
    {
        var view = await LiveDomain.Open(home.Home).ShowAsync("web", Cancellation);
        return await WitnessClient.ConnectAsync(
            new FileInfo($"{view.Folder.Endpoints}/{WitnessGuest.PortName}").LinkTarget!, TimeSpan.FromSeconds(120), TimeProvider.System, Cancellation);
    }
}
