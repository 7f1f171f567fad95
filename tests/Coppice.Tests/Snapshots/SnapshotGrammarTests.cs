using Coppice.Core;

namespace Coppice.Tests.Snapshots;

/// <summary>
/// <c>--validate</c>: what Coppice would ignore is refused by name and line. It accepts nothing that libvirt's schema refuses, but
/// for what Coppice has added.
/// </summary>
public sealed class SnapshotGrammarTests
{
    [Theory]
    [MemberData(nameof(SnapshotXmlTests.Fixtures), MemberType = typeof(SnapshotXmlTests))]
    public void Every_fixture_is_known(string name) =>
        SnapshotXml.Validate(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Snapshots", "Fixtures", $"{name}.xml")));

    [Fact]
    public async Task A_request_in_full_is_known_to_both()
    {
        const string Request = """
            <domainsnapshot>
              <!-- Comments are no matter. -->
              <name>n</name><description>d</description>
              <memory snapshot='external' file='/m'/>
              <disks>
                <disk name='vda' snapshot='external' type='file'><driver type='qcow2'/><source file='/a'/></disk>
                <disk name='vdb' snapshot='external' type='block'><source dev='/dev/x'/></disk>
                <disk name='/images/c' snapshot='no'/>
              </disks>
              <cookie><any:thing xmlns:any='urn:any' at='all'/></cookie>
            </domainsnapshot>
            """;
        SnapshotXml.Validate(Request);
        SnapshotXml.Validate("<domainsnapshot/>");
        await Schema.AssertValidAsync(Request, "<domainsnapshot/>");
    }

    /// <summary>What nobody knows, and how it is called.</summary>
    public static TheoryData<string, string> Unknown => new()
    {
        { "<descripton/>", "line 3, descripton: there is no such element" },
        { "<disks><disk name='vda' snapshto='no'/></disks>", "line 3, disks/disk/@snapshto: there is no such attribute" },
        { "<disks><disk name='vda'><sourc file='/a'/></disk></disks>", "line 3, disks/disk/sourc" },
        { "<disks><disk name='vda'/><dsk/></disks>", "line 3, disks/dsk" },
        { "<memory snapshot='no' size='1'/>", "line 3, memory/@size" },
        { "<memory snapshot='no'>none</memory>", "line 3, memory: it holds text" },
        { "<name>n</name><name>n</name>", "there are two <name>" },
        { "<name a='1'>n</name>", "line 3, name/@a" },
        { "<state>asleep</state>", "line 3, state: 'asleep' is unknown" },
        { "<active>yes</active>", "line 3, active: 'yes' is neither 1 nor 0" },
        { "<parent><name>p</name><uuid/></parent>", "line 3, parent/uuid" },
        { "<name xmlns='urn:other'>n</name>", "line 3, name: there is no such element" },
        { "<domain type='kvm'><name>d</name><flavour/></domain>", "domain/flavour: Coppice knows no such element" },
    };

    [Fact]
    public async Task What_Coppice_has_added_is_known_to_it_alone_R23_R24_R98_R141()
    {
        string[] added =
        [
            "<uuid>6d9f1c1e-52a4-4b1e-8f0a-3c1c2f7b9a10</uuid>", "<creationdate>yesterday</creationdate>", "<memory snapshot='internal' disk='vda'/>",
        ];
        Assert.All(added.Select(Document), SnapshotXml.Validate);
        await Schema.AssertInvalidAsync(added.Select(Document));
    }

    [Theory, MemberData(nameof(Unknown))]
    public void What_nobody_knows_is_refused_by_name_and_line(string content, string part)
    {
        var error = Assert.Throws<CoppiceException>(() => SnapshotXml.Validate(Document(content)));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
    }

    [Fact]
    public Task What_nobody_knows_is_refused_by_libvirts_schema_too() =>
        Schema.AssertInvalidAsync(Unknown.Select(row => Document(row.Data.Item1)));

    [Fact]
    public async Task What_libvirt_has_and_Coppice_would_ignore_is_refused_here()
    {
        string[] ignored =
        [
            "<disks><disk name='vda'><source file='/a'><seclabel relabel='no'/></source></disk></disks>",
            "<disks><disk name='vda'><driver type='qcow2'><metadata_cache/></driver></disk></disks>",
        ];
        Assert.All(ignored.Select(Document), xml => Assert.Throws<CoppiceException>(() => SnapshotXml.Validate(xml)));
        await Schema.AssertValidAsync(ignored.Select(Document));
    }

    [Theory]
    [InlineData("<domain type='kvm' flavour='sweet'/>", "domain XML, line 1, @flavour")]
    [InlineData("<domain type='kvm'><devices><disk type='file' colour='red'/></devices></domain>", "devices/disk/@colour")]
    [InlineData("<domain type='kvm'>\n<devices><toaster/></devices></domain>", "line 2, devices/toaster")]
    public void A_definition_is_validated_likewise(string xml, string part)
    {
        var error = Assert.Throws<CoppiceException>(() => DomainXml.Validate(xml));
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_definition_may_hold_what_is_known_to_be_harmless_or_to_prevent_a_start_and_what_applications_keep() => DomainXml.Validate("""
        <domain type='kvm' id='7'><name>d</name><metadata><x:y xmlns:x='urn:x' z='1'/></metadata><cputune><shares>5</shares></cputune>
        <devices><hostdev mode='subsystem'/><disk type='file'><iotune/></disk></devices></domain>
        """);

    private static string Document(string content) => $"<domainsnapshot>\n\n{content}</domainsnapshot>";
}
