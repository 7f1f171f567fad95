using System.Xml.Linq;
using Coppice.Core;

namespace Coppice.Tests.Domains;

public sealed class ElementTableTests
{
    public static TheoryData<string> Harmless => [.. ElementTables.Harmless.Order(StringComparer.Ordinal)];

    public static TheoryData<string> ChangesHardware => [.. ElementTables.ChangesHardware.Keys.Order(StringComparer.Ordinal)];

    public static TheoryData<string> Values => [.. ElementTables.Values.Keys.Order(StringComparer.Ordinal)];

    public static TheoryData<string> InNoTable =>
        ["frobnicator", "@frobnicator", "cpu/frobnicator", "os/@frobnicator", "devices/frobnicator", "devices/disk/frobnicator",
            "devices/disk/driver/@frobnicator", "devices/interface/portForward/range/@frobnicator", "clock/timer/frobnicator",
            "{urn:frob}frobnicator", "devices/video/{urn:frob}frobnicator"];

    [Fact]
    public void No_element_is_in_two_tables()
    {
        var understood = ElementTables.Understood
            .SelectMany(e => e.Value.Select(a => e.Key.Length == 0 ? $"@{a}" : $"{e.Key}/@{a}").Append(e.Key));

        var all = understood.Concat(ElementTables.Harmless).Concat(ElementTables.ChangesHardware.Keys).ToList();

        Assert.Equal(all.Distinct(), all);
    }

    [Fact]
    public void A_next_step_is_told_only_for_what_prevents_a_start() =>
        Assert.Empty(ElementTables.NextSteps.Keys.Except(ElementTables.ChangesHardware.Keys));

    [Fact]
    public void Every_understood_element_of_a_document_is_written_again()
    {
        var written = XElement.Parse(DomainXml.Format(DomainXml.Parse(Documents.Ordinary)));
        var given = XElement.Parse(Documents.Ordinary);

        // What VNC listens on has two ways to be written; a socket that is not named needs no element.
        Assert.All(
            ElementTables.Understood.Keys.Except(["devices/graphics/listen", "devices/channel/source"]).Where(path => Find(given, path) is not null),
            path => Assert.NotNull(Find(written, path)));
    }

    [Theory, MemberData(nameof(Harmless))]
    public void What_is_harmless_is_kept_and_prevents_nothing(string path)
    {
        var definition = DomainXml.Parse(Documents.OrdinaryWith(path));

        Assert.Empty(definition.Obstacles);
        AssertKept(path, definition);
    }

    [Theory, MemberData(nameof(ChangesHardware))]
    public void What_changes_hardware_is_kept_and_prevents_a_start(string path)
    {
        var definition = DomainXml.Parse(Documents.OrdinaryWith(path));

        var obstacle = Assert.Single(definition.Obstacles);
        Assert.EndsWith(LastName(path), obstacle.Path, StringComparison.Ordinal);
        Assert.Contains(ElementTables.ChangesHardware[path], obstacle.Reason, StringComparison.Ordinal);
        Assert.NotEmpty(obstacle.NextStep);
        AssertKept(path, definition);
    }

    [Theory, MemberData(nameof(InNoTable))]
    public void What_is_in_no_table_is_kept_and_prevents_a_start(string path)
    {
        var definition = DomainXml.Parse(Documents.OrdinaryWith(path));

        Assert.EndsWith("frobnicator", Assert.Single(definition.Obstacles).Path, StringComparison.Ordinal);
        AssertKept(path, definition);
    }

    [Theory, MemberData(nameof(Values))]
    public void A_value_that_is_not_understood_is_kept_and_prevents_a_start(string path)
    {
        var document = Documents.OrdinaryWith(path.Replace("*", "rng", StringComparison.Ordinal), "strange");
        if (path.StartsWith("devices/disk", StringComparison.Ordinal))
        {
            Assert.Contains("'strange'", Assert.Throws<CoppiceException>(() => DomainXml.Parse(document)).Message, StringComparison.Ordinal);
            return;
        }

        var definition = DomainXml.Parse(document);

        var obstacle = Assert.Single(definition.Obstacles);
        Assert.Equal(path.Replace("*", "rng", StringComparison.Ordinal), obstacle.Path.Replace("[1]", "", StringComparison.Ordinal));
        Assert.Contains("'strange'", obstacle.Reason, StringComparison.Ordinal);
        AssertKept(path.Replace("*", "rng", StringComparison.Ordinal), definition, "strange");
    }

    [Theory]
    [InlineData("<hostdev mode='subsystem' type='pci'/>", "devices/hostdev", "a device of the host")]
    [InlineData("<rng model='virtio'><backend model='egd' type='udp'/></rng>", "devices/rng/backend/@model", "'egd'")]
    [InlineData("<interface type='network'><source network='default'/></interface>", "devices/interface/@type", "'network'")]
    [InlineData("<interface type='bridge'><source bridge='br0'/><virtualport type='openvswitch'/></interface>", "devices/interface/virtualport", "the network")]
    [InlineData("<interface type='bridge'><source bridge='br0'/><mtu size='9000'/></interface>", "devices/interface/mtu", "the network card")]
    [InlineData("<video><model type='qxl' ram='65536'/></video>", "devices/video/model/@type", "'qxl'")]
    [InlineData("<serial type='tcp'><source mode='bind' host='::' service='7'/></serial>", "devices/serial/@type", "'tcp'")]
    [InlineData("<sound model='ac97'/>", "devices/sound/@model", "'ac97'")]
    [InlineData("<graphics type='spice'/>", "devices/graphics/@type", "'spice'")]
    [InlineData("<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>", "devices/channel/@type", "'spicevmc'")]
    [InlineData("<graphics type='vnc' passwd='secret'/>", "devices/graphics/@passwd", "who may connect")]
    public void The_obstacle_names_the_element(string devices, string path, string reason)
    {
        var obstacle = Assert.Single(DomainXml.Parse(Documents.With(devices)).Obstacles);

        Assert.Equal(path, obstacle.Path);
        Assert.Contains(reason, obstacle.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void The_obstacle_counts_devices_of_its_kind()
    {
        var definition = DomainXml.Parse(Documents.With(
            $"{Documents.Disk()}<filesystem type='mount'/>{Documents.Disk("vdb", "/b", "<driver type='raw' queues='4'/>")}<filesystem type='mount'/>"));

        Assert.Equal(
            ["devices/filesystem[1]", "devices/disk[2]/driver/@queues", "devices/filesystem[2]"],
            definition.Obstacles.Select(o => o.Path));
    }

    [Fact]
    public void What_is_kept_of_a_repeated_element_returns_to_the_same_one()
    {
        const string Forwards = """
            <portForward proto="tcp">
                    <range start="1" />
                    <range start="2" exclude="yes" />
                  </portForward>
            """;
        var definition = DomainXml.Parse(Documents.With($"<interface type='user'>{Forwards}</interface>"));

        Assert.Contains(Forwards, DomainXml.Format(definition), StringComparison.Ordinal);
    }

    [Fact]
    public void Arguments_for_the_hypervisor_keep_their_prefix()
    {
        var definition = DomainXml.Parse(Documents.With(outside: "<qemu:commandline><qemu:arg value='-S'/></qemu:commandline>"));

        Assert.Contains("<qemu:arg value=\"-S\" />", DomainXml.Format(definition), StringComparison.Ordinal);
        Assert.Equal("commandline", Assert.Single(definition.Obstacles).Path);
    }

    [Fact]
    public void Another_kind_of_hypervisor_prevents_a_start() =>
        Assert.Equal("@type", Assert.Single(DomainXml.Parse(Documents.With(type: "xen")).Obstacles).Path);

    private static void AssertKept(string path, DomainDefinition definition, string value = "x")
    {
        var written = DomainXml.Format(definition);
        Assert.Equal(definition, DomainXml.Parse(written));
        var kept = Find(XElement.Parse(written), path.Replace("*", "disk", StringComparison.Ordinal));
        Assert.NotNull(kept);
        Assert.True(kept is not XAttribute attribute || attribute.Value == value);
    }

    private static XObject? Find(XElement root, string path)
    {
        IEnumerable<XElement> found = [root];
        foreach (var name in Documents.Steps(path.Replace("*", "disk", StringComparison.Ordinal)))
        {
            if (name.StartsWith('@'))
            {
                return found.Attributes(name[1..]).FirstOrDefault();
            }

            found = found.Elements(XName.Get(name)).ToList();
        }

        return found.FirstOrDefault();
    }

    private static string LastName(string path) => Documents.Steps(path)[^1].Split('}')[^1];
}
