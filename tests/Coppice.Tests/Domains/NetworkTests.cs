using Coppice.Core;

namespace Coppice.Tests.Domains;

/// <summary>What a definition says of the host's networks.</summary>
public sealed class NetworkTests
{
    public static TheoryData<string, TapDevice?> Cards => new()
    {
        { "<interface type='user'/>", null },
        { "<interface type='user'><source dev='eth0'/></interface>", null },
        { "<interface type='bridge'><source bridge='br0'/></interface>", new TapDevice { Bridge = "br0" } },
        { "<interface type='bridge'><source bridge='br-1a.20'/><target dev='web0'/></interface>", new TapDevice { Bridge = "br-1a.20", Name = "web0" } },
        { "<interface type='ethernet'/>", new TapDevice() },
        { "<interface type='ethernet'><target dev='web0'/></interface>", new TapDevice { Name = "web0" } },
        { "<interface type='ethernet'><target dev='web0' managed='yes'/></interface>", new TapDevice { Name = "web0" } },
        { "<interface type='ethernet'><target dev='tap7' managed='no'/></interface>", new TapDevice { Name = "tap7", Exists = true } },

        // What libvirt prints of a running domain has the name that it made for this run; one that exists has no other.
        { "<interface type='bridge'><source bridge='br0'/><target dev='vnet3'/></interface>", new TapDevice { Bridge = "br0" } },
        { "<interface type='ethernet'><target dev='vnet3' managed='no'/></interface>", new TapDevice { Name = "vnet3", Exists = true } },
    };

    [Theory, MemberData(nameof(Cards))]
    public async Task A_card_is_read_written_and_prevents_no_start(string document, TapDevice? tap)
    {
        var definition = DomainXml.Parse(Documents.With(document));
        Assert.Empty(definition.Obstacles);
        Assert.Equal(tap, definition.Devices.OfType<NetworkDevice>().Single().Tap);
        var written = DomainXml.Format(definition);
        Assert.Equal(definition, DomainXml.Parse(written));
        await LibvirtSchema.AssertValidAsync("domain.rng", [written]);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("<link state='up'/>", true)]
    [InlineData("<link state='down'/>", false)]
    public void The_cable_is_read_and_written_on_every_network(string link, bool? isUp)
    {
        foreach (var type in (string[])["user", "ethernet"])
        {
            var definition = DomainXml.Parse(Documents.With($"<interface type='{type}'>{link}</interface>"));
            Assert.Empty(definition.Obstacles);
            Assert.Equal(isUp, definition.Devices.OfType<NetworkDevice>().Single().LinkIsUp);
            Assert.Equal(definition, DomainXml.Parse(DomainXml.Format(definition)));
        }
    }

    [Theory]
    [InlineData("br0,helper=/tmp/x")]
    [InlineData("br0 up")]
    [InlineData("../br0")]
    [InlineData("br/0")]
    [InlineData("br0&#10;")]
    [InlineData("--fd=1")]
    [InlineData("br%d")]
    [InlineData("br:0")]
    [InlineData("brücke")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("a-name-of-16-cha")]
    public void What_Linux_or_anybody_else_would_take_for_something_else_is_no_name(string name)
    {
        foreach (var card in (string[])
            [
                $"<interface type='bridge'><source bridge='{name}'/></interface>",
                $"<interface type='bridge'><source bridge='br0'/><target dev='{name}'/></interface>",
                $"<interface type='ethernet'><target dev='{name}' managed='no'/></interface>",
            ])
        {
            AssertRefused(card, "does not name a network device");
        }

        Assert.Throws<CoppiceException>(() => NewNetwork.Parse($"bridge={name}"));
        Assert.Throws<CoppiceException>(() => NewNetwork.Parse($"tap={name}"));
    }

    [Theory]
    [InlineData("<interface type='bridge'/>", "<source> is missing")]
    [InlineData("<interface type='bridge'><source/></interface>", "the attribute bridge is missing")]
    [InlineData("<interface type='user'><source bridge='br0'/></interface>", "type='user' is not on a bridge")]
    [InlineData("<interface type='ethernet'><source bridge='br0'/></interface>", "type='ethernet' is not on a bridge")]
    [InlineData("<interface type='ethernet'><target managed='no'/></interface>", "the attribute dev is missing")]
    [InlineData("<interface type='bridge'><source bridge='br0'/><target dev='a' managed='no'/></interface>", "it is about type='ethernet' only")]
    [InlineData(
        "<interface type='bridge'><source bridge='br0'/><portForward proto='tcp'><range start='1'/></portForward></interface>",
        "ports are forwarded on user networking only")]
    [InlineData("<interface type='user'><link/></interface>", "the attribute state is missing")]
    [InlineData(
        "<interface type='ethernet'><target dev='a'/></interface><interface type='bridge'><source bridge='b'/><target dev='a'/></interface>",
        "two interfaces have the tap device 'a'")]
    public void What_contradicts_itself_is_refused(string cards, string problem) => AssertRefused(cards, problem);

    [Fact]
    public void The_network_of_libvirt_that_virt_install_names_is_kept_and_refused_by_name()
    {
        const string Card = "<interface type=\"network\"><source network=\"default\" /></interface>";
        var definition = DomainXml.Parse(Documents.With(Card));
        var obstacle = Assert.Single(definition.Obstacles);
        Assert.Equal("devices/interface/@type", obstacle.Path);
        Assert.Equal("use user or bridge or ethernet", obstacle.NextStep);
        Assert.Contains("<source network=\"default\" />", DomainXml.Format(definition), StringComparison.Ordinal);
    }

    [Fact]
    public void A_new_domain_gets_a_card_for_each_network_and_its_forwards_on_user_networking()
    {
        var cards = Make([NewNetwork.Parse("bridge=br0"), NewNetwork.Parse("user"), NewNetwork.Parse("tap=tap7")], new NewForward(2222, 22));
        Assert.Equal([new TapDevice { Bridge = "br0" }, null, new TapDevice { Name = "tap7", Exists = true }], cards.Select(c => c.Tap));
        Assert.Equal([0, 1, 0], cards.Select(c => c.Forwards.Count));
        Assert.Equal(3, cards.Select(c => c.Mac).Distinct().Count());
        Assert.Empty(Make([]));
        Assert.Null(Assert.Single(Make(null)).Tap);

        var error = Assert.Throws<CoppiceException>(() => Make([NewNetwork.Parse("bridge=br0")], new NewForward(2222, 22)));
        Assert.Equal((ErrorKind.InvalidInput, "port forward '2222:22'"), (error.Kind, error.Subject));
    }

    [Theory]
    [InlineData("")]
    [InlineData("nat")]
    [InlineData("bridge")]
    [InlineData("user=x")]
    public void A_network_that_is_not_known_is_refused(string text)
    {
        var error = Assert.Throws<CoppiceException>(() => NewNetwork.Parse(text));
        Assert.Contains("bridge=NAME", error.NextStep, StringComparison.Ordinal);
    }

    private static void AssertRefused(string cards, string problem)
    {
        var error = Assert.Throws<CoppiceException>(() => DomainXml.Parse(Documents.With(cards)));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains(problem, error.Message, StringComparison.Ordinal);
    }

    private static NetworkDevice[] Make(NewNetwork[]? networks, params NewForward[] forwards)
    {
        byte next = 0;
        var web = new NewDomain
        {
            Name = "web", Disks = [new("/images/web.qcow2", ImageFormat.Qcow2)], Memory = new ByteCount(1 << 30), Forwards = [.. forwards],
        };
        return [.. (networks is null ? web : web with { Networks = [.. networks] })
            .ToDefinition(new IdSource(bytes => bytes.Fill(++next))).Devices.OfType<NetworkDevice>()];
    }
}
