using Coppice.Core;

namespace Coppice.Tests.Snapshots;

public sealed class SnapshotXmlTests
{
    private const string Content = "state='running' created='2023-11-14T22:13:20.5000000+00:00'";
    private const string Uuid = "6d9f1c1e-52a4-4b1e-8f0a-3c1c2f7b9a10";

    public static TheoryData<string> Fixtures =>
    [
        "all_parameters", "disk_snapshot", "external_vm", "full_domain", "metadata", "noparent", "noparent_nodescription",
        "noparent_nodescription_noactive",
    ];

    [Theory]
    [MemberData(nameof(Fixtures))]
    public async Task A_fixture_comes_back_as_it_was_and_is_valid(string name)
    {
        var xml = Fixture(name);

        var written = SnapshotXml.Format(SnapshotXml.Parse(xml, SnapshotParseMode.Redefine));

        Assert.Equal(xml, written);
        await Schema.AssertValidAsync(written);
    }

    [Fact]
    public void A_fixture_says_what_it_says()
    {
        var document = SnapshotXml.Parse(Fixture("metadata"), SnapshotParseMode.Redefine);

        Assert.Equal("tagged", document.Name);
        Assert.Equal("whole", document.Parent);
        Assert.Equal(SnapshotState.Running, document.State);
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(1718345600), document.CreatedAt);
        Assert.Equal(new MemoryRequest(MemoryMode.Internal, Disk: "vda"), document.Memory);
        Assert.Equal([new DiskRequest("vda", DiskMode.Internal)], document.Disks);
        Assert.Equal(Uuid, document.DomainId.ToString());
        Assert.Equal("0f0e0d0c-0b0a-4908-8706-050403020100", document.Id.ToString());
        Assert.True(document.IsActive);
        Assert.Contains("""<inv:asset xmlns:inv="urn:example:inventory" inv:rack="7">""", document.Domain, StringComparison.Ordinal);
        Assert.DoesNotContain("coppice", document.Cookie, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_required_of_a_request()
    {
        var request = SnapshotXml.Parse("<domainsnapshot/>", SnapshotParseMode.Create).ToRequest("web");

        Assert.Equal(new CreateSnapshot("web") { Disks = request.Disks }, request);
        Assert.Empty(request.Disks);
    }

    [Fact]
    public void Of_a_request_only_what_a_user_may_set_is_taken()
    {
        var document = SnapshotXml.Parse(
            $"""
            <domainsnapshot>
              <creationdate>yesterday</creationdate>
              <creationTime>never</creationTime>
              <state>unheard-of</state>
              <parent/>
              <name>mine</name>
              <uuid>{Uuid.ToUpperInvariant()}</uuid>
              <description>text</description>
              <memory file='/m'/>
              <disks><disk name='vda'><source file='/a'/></disk><disk name='/images/b'/></disks>
              <active>7</active>
              <domain/>
              <future thing='1'/>
            </domainsnapshot>
            """,
            SnapshotParseMode.Create);

        Assert.Equal(
            new SnapshotDocument
            {
                Name = "mine", Id = SnapshotId.Parse(Uuid), Description = "text",
                Memory = new MemoryRequest(MemoryMode.External, "/m"), Disks = document.Disks,
            },
            document);
        Assert.Equal([new DiskRequest("vda", DiskMode.External, "/a"), new DiskRequest("/images/b", null)], document.Disks);
    }

    [Theory]
    [InlineData("<memory/>", "<memory>: it says neither")] // R134
    [InlineData("<memory snapshot='sometimes'/>", "<memory snapshot=>: 'sometimes' is unknown")] // R134
    [InlineData("<memory snapshot='manual'/>", "<memory snapshot=>")]
    [InlineData("<memory snapshot='internal' file='/m'/>", "<memory file=>: a file needs")] // R135
    [InlineData("<memory snapshot='no' file='/m'/>", "<memory file=>: a file needs")] // R135
    [InlineData("<memory snapshot='external' disk='vda'/>", "<memory disk=>: a disk needs")]
    [InlineData("<memory file='m'/>", "<memory file=>: 'm' is not an absolute path")]
    [InlineData("<disks><disk/></disks>", "<disk>: it has no name")]
    [InlineData("<disks><disk name=''/></disks>", "<disk>: it has no name")]
    [InlineData("<disks><disk name='images/a'/></disks>", "not an absolute path")]
    [InlineData("<disks><disk name='vda' snapshot='default'/></disks>", "<disk name='vda'>: snapshot='default' is unknown")]
    [InlineData("<disks><disk name='vda'/><disk name='vda'/></disks>", "<disk name='vda'>: stands twice")]
    [InlineData("<disks><disk name='vda'><driver type='zip'/></disk></disks>", "<driver type='zip'>")]
    [InlineData("<disks><disk name='vda' type='network'/></disks>", "type='network'")]
    [InlineData("<disks><disk name='vda'><source file='a'/></disk></disks>", "'a' is not an absolute path")]
    [InlineData("<disks><disk name='vda' snapshot='no'><source file='/a'/></disk></disks>", "needs snapshot='external'")]
    [InlineData("<disks><disk name='vda' snapshot='internal'><driver type='qcow2'/></disk></disks>", "needs snapshot='external'")]
    [InlineData("<disks><disk name='vda'><source/><source/></disk></disks>", "<source>: stands twice")]
    [InlineData("<name>a/b</name>", "contains '/'")]
    [InlineData("<name>.a</name>", "starts with '.'")]
    [InlineData("<name>a</name><name>b</name>", "<name>: stands twice")]
    [InlineData("<uuid>12</uuid>", "<uuid>: '12' is no uuid")]
    public void A_request_that_is_wrong_is_refused_by_name(string content, string part)
    {
        AssertRefused(part, $"<domainsnapshot>{content}</domainsnapshot>", SnapshotParseMode.Create);
        AssertRefused(part, $"<domainsnapshot>{content}</domainsnapshot>", SnapshotParseMode.Redefine);
    }

    [Theory]
    [InlineData("name", "", "<name>: it is missing")]
    [InlineData("creationTime", "", "<creationTime>: it is missing")]
    [InlineData("creationTime", "<creationTime>soon</creationTime>", "<creationTime>: 'soon'")]
    [InlineData("creationTime", "<creationTime>-1</creationTime>", "<creationTime>: '-1'")]
    [InlineData("creationTime", "<creationTime>999999999999999999</creationTime>", "<creationTime>")]
    [InlineData("state", "", "<state>: it is missing")]
    [InlineData("state", "<state>asleep</state>", "<state>: 'asleep' is unknown; write one of running")]
    [InlineData("state", "<state>shutoff</state>", "<memory>: a snapshot with state shutoff")] // R136
    [InlineData("state", "<state>disk-snapshot</state>", "<memory>: a snapshot with state disk-snapshot")] // R136
    [InlineData("memory", "<memory snapshot='external'/>", "<memory>: it is external, yet its file")]
    [InlineData("parent", "<parent/>", "<parent>: it has no <name>")]
    [InlineData("parent", "<parent><name>s</name></parent>", "<parent>: 's' is the snapshot itself")]
    [InlineData("domain", "", "<domain>: it is missing")]
    [InlineData("domain", "<domain/>", "<domain><uuid>: it is missing")]
    [InlineData("domain", "<domain><uuid>x</uuid></domain>", "'x' is no uuid")]
    [InlineData("active", "<active>yes</active>", "<active>: 'yes'")]
    [InlineData("cookie", "<cookie><s xmlns='urn:coppice:snapshot'/><snapshot xmlns='urn:coppice:snapshot' uuid='u'/></cookie>", "<cookie>: 'u'")]
    public void A_record_that_is_wrong_is_refused_by_name(string element, string instead, string part)
    {
        var elements = new Dictionary<string, string>
        {
            ["name"] = "<name>s</name>",
            ["state"] = "<state>running</state>",
            ["creationTime"] = "<creationTime>5</creationTime>",
            ["memory"] = "<memory snapshot='internal'/>",
            ["domain"] = $"<domain><uuid>{Uuid}</uuid></domain>",
        };
        Assert.NotNull(SnapshotXml.Parse(Document(elements), SnapshotParseMode.Redefine));
        elements[element] = instead;

        AssertRefused(part, Document(elements), SnapshotParseMode.Redefine);

        static string Document(Dictionary<string, string> elements) => $"<domainsnapshot>{string.Concat(elements.Values)}</domainsnapshot>";
    }

    [Theory]
    [InlineData("state='asleep'", "", "cookie/snapshot/@state: 'asleep' is none of off, running")]
    [InlineData("state='running'", "", "the attribute created is missing")]
    [InlineData("state='running' created='soon'", "", "@created: 'soon' is no time")]
    [InlineData(Content + " tpm='../../etc'", "", "@tpm: '../../etc' is no id")]
    [InlineData(Content + " memoryLayer='Z'", "", "@memoryLayer: 'Z' is no id")]
    [InlineData(Content, "<disk mode='external' layer='aaaaaaaa'/>", "the attribute name is missing")]
    [InlineData(Content, "<disk name='vda' mode='sideways' layer='aaaaaaaa'/>", "'sideways' is none of none, internal")]
    [InlineData(Content, "<layer id='aaaaaaaa' disk='vda' path='a' format='raw' bytes='1' origin='user'/>", "'a' is no plain absolute path")]
    [InlineData(Content, "<layer id='aaaaaaaa' disk='vda' path='/a/../b' format='raw' bytes='1' origin='user'/>", "no plain absolute path")]
    [InlineData(Content, "<layer id='aaaaaaaa' disk='vda' path='/a' format='vmdk' bytes='1' origin='user'/>", "'vmdk' is none of raw, qcow2")]
    [InlineData(Content, "<layer id='aaaaaaaa' disk='vda' path='/a' format='raw' bytes='-1' origin='user'/>", "'-1' is no number of bytes")]
    [InlineData(Content, "<layer id='aaaaaaaa' disk='vda' path='/a' format='raw' bytes='1' origin='user' holder='bbbbbbbb'/>", "tag is missing")]
    [InlineData(Content, "<file path='/a' modified='yesterday'/>", "'yesterday' is no time")]
    public void What_a_cookie_of_ours_says_is_refused_by_name_if_we_did_not_write_it(string attributes, string content, string part) =>
        AssertRefused(
            part,
            $"""
            <domainsnapshot><name>s</name><state>running</state><creationTime>5</creationTime><domain><uuid>{Uuid}</uuid></domain>
            <cookie><snapshot xmlns='urn:coppice:snapshot' {attributes}>{content}</snapshot></cookie></domainsnapshot>
            """,
            SnapshotParseMode.Redefine);

    [Theory]
    [InlineData("")]
    [InlineData("<domainsnapshot>")]
    [InlineData("<domain/>")]
    [InlineData("<domainsnapshot xmlns='urn:other'/>")]
    [InlineData("<!DOCTYPE domainsnapshot [<!ENTITY a 'aa'>]><domainsnapshot><name>&a;</name></domainsnapshot>")]
    [InlineData("<!DOCTYPE domainsnapshot [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domainsnapshot><name>&a;</name></domainsnapshot>")]
    public void What_is_no_snapshot_document_is_refused(string xml) =>
        Assert.Throws<CoppiceException>(() => SnapshotXml.Parse(xml, SnapshotParseMode.Create));

    [Theory]
    [InlineData("shutoff", MemoryMode.None)]
    [InlineData("disk-snapshot", MemoryMode.None)]
    [InlineData("running", MemoryMode.Internal)]
    [InlineData("crashed", MemoryMode.Internal)]
    public void Memory_that_is_left_out_follows_the_state_and_is_always_written(string state, MemoryMode memory)
    {
        var document = SnapshotXml.Parse(
            $"<domainsnapshot><name>s</name><state>{state}</state><creationTime>5</creationTime><domain><uuid>{Uuid}</uuid></domain></domainsnapshot>",
            SnapshotParseMode.Redefine);

        Assert.Equal(memory, document.Memory!.Mode);
        Assert.Contains("<memory snapshot=", SnapshotXml.Format(document), StringComparison.Ordinal);
        Assert.Contains("<memory snapshot=", SnapshotXml.Format(document with { Memory = null }), StringComparison.Ordinal);
    }

    [Fact]
    public void Namespaces_that_were_declared_further_up_stay_with_the_domain()
    {
        var document = SnapshotXml.Parse(
            $"""
            <domainsnapshot xmlns:qemu="urn:q"><name>s</name><state>shutoff</state><creationTime>5</creationTime>
              <domain><uuid>{Uuid}</uuid><qemu:commandline><qemu:arg value="a&#10;b"/></qemu:commandline></domain></domainsnapshot>
            """,
            SnapshotParseMode.Redefine);

        Assert.Contains("xmlns:qemu=\"urn:q\"", document.Domain, StringComparison.Ordinal);
        Assert.Contains("<qemu:arg value=\"a&#xA;b\"", SnapshotXml.Format(document), StringComparison.Ordinal);
    }

    private static string Fixture(string name) =>
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Snapshots", "Fixtures", $"{name}.xml"));

    private static void AssertRefused(string part, string xml, SnapshotParseMode mode)
    {
        var error = Assert.Throws<CoppiceException>(() => SnapshotXml.Parse(xml, mode));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
    }
}
