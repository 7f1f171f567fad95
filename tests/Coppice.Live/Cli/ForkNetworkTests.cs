using Coppice.Live.Tree;
using Coppice.Live.Witness;

namespace Coppice.Live.Cli;

/// <summary>What becomes of a fork's network cards: who answers on the network, and from which address, tells (R228).</summary>
public sealed class ForkNetworkTests
{
    private const string Original = "10.0.2.15", Fork = "10.0.2.16";
    private const string RootPorts = "<controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>";

    [Fact]
    public async Task A_fork_on_the_same_bridge_answers_under_an_address_of_its_own_and_the_original_is_not_disturbed()
    {
        LiveDomain.Require();
        await using var network = await BridgeAsync();
        await using var home = new CliHome { Starter = network.Enter };
        await DefineAsync(home, $"{RootPorts}<interface type='bridge'><mac address='52:54:00:00:00:15'/><source bridge='br0'/></interface>");
        await home.DoAsync("start", "web");
        Assert.True(await network.AnswersAsync(Original, 60));
        await home.DoAsync("snapshot", "create", "web", "one");
        await home.DoAsync("snapshot", "fork", "web", "one", "copy", "--start", "--new-nic");
        Assert.Equal("52:54:00:00:00:15", await NeighbourAsync(network, Original));
        await AddressAsync(home, Fork);
        Assert.True(await network.AnswersAsync(Fork, 10));
        var address = await NeighbourAsync(network, Fork);
        Assert.Contains(address, await home.DoAsync("dumpxml", "copy"), StringComparison.Ordinal);
        Assert.NotEqual("52:54:00:00:00:15", address);
        Assert.True(await network.AnswersAsync(Original, 5));

        // What is kept from now on knows the new card.
        await home.DoAsync("snapshot", "create", "copy", "two");
        await home.DoAsync("snapshot", "revert", "copy", "two");
        Assert.True(await network.AnswersAsync(Fork, 5));
        Assert.Equal(address, await NeighbourAsync(network, Fork));
    }

    [Fact]
    public async Task A_fork_keeps_quiet_until_its_cable_is_plugged_in_and_one_that_keeps_the_network_answers_at_once()
    {
        LiveDomain.Require();
        await using var network = await BridgeAsync();
        await using var home = new CliHome { Starter = network.Enter };
        await DefineAsync(home, "<interface type='bridge'><source bridge='br0'/></interface>");
        await home.DoAsync("start", "web");
        Assert.True(await network.AnswersAsync(Original, 60));
        await home.DoAsync("snapshot", "create", "web", "one");
        await home.DoAsync("kill", "web", "--yes");
        await home.DoAsync("snapshot", "fork", "web", "one", "quiet", "--start");
        Assert.False(await network.AnswersAsync(Original, 1));
        await home.DoAsync("link", "quiet", "net0", "up");
        Assert.True(await network.AnswersAsync(Original, 5));
        await home.DoAsync("kill", "quiet", "--yes");
        await home.DoAsync("snapshot", "fork", "web", "one", "loud", "--start", "--network", "keep");
        Assert.True(await network.AnswersAsync(Original, 5));
    }

    [Fact]
    public async Task A_card_on_the_first_bus_of_q35_is_refused_before_the_fork_is_made()
    {
        LiveDomain.Require();
        await using var home = new CliHome();
        await DefineAsync(home, "<interface type='user'/>");
        await home.DoAsync("start", "web", "--paused");
        await home.DoAsync("snapshot", "create", "web", "one");
        await home.RefuseAsync(
            ["snapshot", "fork", "web", "one", "copy", "--start", "--new-nic"], "network card net0", "first bus of a q35 machine", "--network down");
        Assert.DoesNotContain("copy", await home.DoAsync("list"), StringComparison.Ordinal);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static Task<PrivateNetwork> BridgeAsync() => PrivateNetwork.MakeAsync(
        "link add br0 type bridge", "link set br0 address 02:00:00:00:00:01", "addr add 10.0.2.1/24 dev br0", "link set br0 up");

    private static async Task<string> NeighbourAsync(PrivateNetwork network, string address)
    {
        var words = (await network.IpAsync($"neigh show {address}")).Split(' ');
        return words[Array.IndexOf(words, "lladdr") + 1];
    }

    /// <summary>Gives the only card of the fork's guest an address.</summary>
    private static async Task AddressAsync(CliHome home, string address) => await GuestShell.RunAsync(
        (await LiveDomain.Open(home.Home).ShowAsync("copy", Cancellation)).Folder,
        $"cd /sys/class/net; until ls | grep -q eth; do sleep 0.2; done; n=$(ls | grep eth); ip link set $n up; ip addr add {address}/24 dev $n",
        Cancellation);

    private static async Task DefineAsync(CliHome home, string devices)
    {
        var xml = CliHome.Xml("web", await home.ImageAsync("web.qcow2"))
            .Replace("<memory unit='MiB'>32", "<memory unit='MiB'>144", StringComparison.Ordinal)
            .Replace("machine='pc'", "machine='q35'", StringComparison.Ordinal)
            .Replace(
                "</type></os>",
                $"</type><kernel>{WitnessGuest.KernelPath}</kernel><initrd>{WitnessGuest.InitrdPath}</initrd><cmdline>{WitnessGuest.KernelCommandLine}</cmdline></os>"
                    + "<features><acpi/></features>",
                StringComparison.Ordinal)
            .Replace("</devices>", $"{devices}<serial type='pty'><target port='0'/></serial></devices>", StringComparison.Ordinal);
        await home.DoAsync("define", home.Write("web.xml", xml));
    }
}
