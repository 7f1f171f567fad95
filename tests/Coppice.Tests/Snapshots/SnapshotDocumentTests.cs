using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Snapshots;

public sealed class SnapshotDocumentTests
{
    private static readonly DomainId s_domain = DomainId.Parse("6d9f1c1e-52a4-4b1e-8f0a-3c1c2f7b9a10");
    private static readonly string s_definition = $"<domain type=\"kvm\"><name>web</name><uuid>{s_domain}</uuid><memory>1024</memory>"
        + "<os><type arch=\"x86_64\">hvm</type></os></domain>";

    private static readonly Snapshot s_first = Take("first", null, DomainState.Off, MemoryImage.None, "aaaaaaaa");
    private static readonly Snapshot s_second = Take(
        "second", s_first.Id, DomainState.Running, new MemoryImage { Mode = MemoryMode.External, File = "/m/second" }, "bbbbbbbb");

    // vda: base ← second.overlay ← head
    private static readonly Catalog s_catalog = new()
    {
        Domain = s_domain,
        Name = "web",
        Last = new LastOperation(new ShortId("00000000"), OperationEnd.Committed),
        Head = new Head { Definition = new ShortId("dddddddd"), Disks = [new HeadDisk("vda", new ShortId("cccccccc"))] },
        Current = s_second.Id,
        Snapshots = new[] { s_first, s_second }.ToImmutableDictionary(s => s.Id),
        Layers = [Layer("aaaaaaaa", null), Layer("bbbbbbbb", "aaaaaaaa"), Layer("cccccccc", "bbbbbbbb")],
    };

    [Fact]
    public async Task A_snapshot_becomes_a_valid_document_that_names_the_layer_that_took_the_writes()
    {
        var xml = SnapshotXml.Format(Document(s_catalog, s_second));

        Assert.Equal(
            $"""
            <domainsnapshot>
              <name>second</name>
              <state>running</state>
              <parent>
                <name>first</name>
              </parent>
              <creationTime>1700000000</creationTime>
              <memory snapshot="external" file="/m/second" />
              <disks>
                <disk name="vda" snapshot="external" type="file">
                  <driver type="qcow2" />
                  <source file="/images/cccccccc" />
                </disk>
                <disk name="vdb" snapshot="no" />
              </disks>
              <domain type="kvm">
                <name>web</name>
                <uuid>{s_domain}</uuid>
                <memory>1024</memory>
                <os>
                  <type arch="x86_64">hvm</type>
                </os>
              </domain>
              <active>1</active>
              <cookie>
                <coppice:snapshot xmlns:coppice="urn:coppice:snapshot" uuid="{s_second.Id}" state="running" created="2023-11-14T22:13:20.5000000+00:00">
                  <coppice:disk name="vda" mode="external" layer="bbbbbbbb" />
                  <coppice:disk name="vdb" mode="none" layer="ffffffff" />
                  <coppice:layer id="bbbbbbbb" disk="vda" path="/images/bbbbbbbb" format="qcow2" bytes="1048576" parent="aaaaaaaa" origin="coppice" />
                  <coppice:layer id="aaaaaaaa" disk="vda" path="/images/aaaaaaaa" format="qcow2" bytes="1048576" origin="coppice" />
                  <coppice:file path="/images/bbbbbbbb" modified="2023-11-14T22:13:21.0000007+00:00" />
                </coppice:snapshot>
              </cookie>
            </domainsnapshot>

            """,
            xml);
        await Schema.AssertValidAsync(xml);
    }

    [Fact]
    public async Task A_layer_that_cannot_be_told_is_left_out()
    {
        var branched = s_catalog with { Layers = s_catalog.Layers.Add(Layer("eeeeeeee", "bbbbbbbb")) };

        var document = Document(branched, s_second);

        Assert.Equal(new DiskRequest("vda", DiskMode.External, null, "qcow2"), document.Disks[0]);
        await Schema.AssertValidAsync(SnapshotXml.Format(document));
    }

    [Theory]
    [InlineData(DomainState.Off, MemoryMode.None, SnapshotState.Shutoff)]
    [InlineData(DomainState.Running, MemoryMode.None, SnapshotState.DiskSnapshot)]
    [InlineData(DomainState.Paused, MemoryMode.None, SnapshotState.DiskSnapshot)]
    [InlineData(DomainState.Saved, MemoryMode.None, SnapshotState.DiskSnapshot)]
    [InlineData(DomainState.Running, MemoryMode.External, SnapshotState.Running)]
    [InlineData(DomainState.Paused, MemoryMode.Internal, SnapshotState.Paused)]
    [InlineData(DomainState.Suspended, MemoryMode.External, SnapshotState.Paused)]
    [InlineData(DomainState.IoError, MemoryMode.External, SnapshotState.Paused)]
    [InlineData(DomainState.Saved, MemoryMode.External, SnapshotState.Paused)]
    [InlineData(DomainState.Crashed, MemoryMode.External, SnapshotState.Crashed)]
    public async Task Every_state_has_a_word_that_libvirt_knows(DomainState state, MemoryMode memory, SnapshotState expected)
    {
        var image = memory switch
        {
            MemoryMode.External => new MemoryImage { Mode = memory, File = "/m" },
            MemoryMode.Internal => new MemoryImage { Mode = memory, Disk = "vda" },
            _ => MemoryImage.None,
        };
        var document = Document(s_catalog, s_second with { State = state, Memory = image });

        Assert.Equal(expected, document.State);
        var xml = SnapshotXml.Format(document);
        Assert.Equal(xml, SnapshotXml.Format(SnapshotXml.Parse(xml, SnapshotParseMode.Redefine)));
        await Schema.AssertValidAsync(xml);
    }

    [Fact]
    public void A_document_asks_for_what_it_says()
    {
        var request = Document(s_catalog, s_second).ToRequest("other");

        Assert.Equal(("other", "second"), (request.Domain, request.Name));
        Assert.Equal(new MemoryRequest(MemoryMode.External, "/m/second"), request.Memory);
        Assert.Equal(2, request.Disks.Length);
    }

    [Fact]
    public void A_document_may_redefine_what_it_was_made_of()
    {
        Document(s_catalog, s_second).CheckRedefines(s_catalog);
        var third = Document(s_catalog, s_second) with { Name = "third", Id = null, Parent = "second" };
        third.CheckRedefines(s_catalog);
    }

    [Fact]
    public void A_document_that_does_not_fit_the_catalog_is_refused()
    {
        var first = Document(s_catalog, s_first);
        var second = Document(s_catalog, s_second);

        AssertRefused(ErrorKind.InvalidInput, "another domain", first with { DomainId = new DomainId(Guid.Empty) });
        AssertRefused(ErrorKind.AlreadyExists, "uuid", first with { Id = second.Id });
        AssertRefused(ErrorKind.NotFound, "'gone'", second with { Parent = "gone" });
        AssertRefused(ErrorKind.InvalidInput, "<parent>", first with { Parent = "second" });
        AssertRefused(ErrorKind.InvalidInput, "<parent>", first with { Parent = "first" });
        AssertRefused(ErrorKind.InvalidInput, "offline", second with { State = SnapshotState.Shutoff });
        AssertRefused(ErrorKind.InvalidInput, "offline", first with { State = SnapshotState.Running });
        AssertRefused(ErrorKind.InvalidInput, "disk-only", second with { State = SnapshotState.DiskSnapshot });
    }

    private static SnapshotDocument Document(Catalog catalog, Snapshot snapshot) =>
        SnapshotDocument.From(catalog, snapshot, s_definition, new Dictionary<string, FileObservation>
        {
            ["/images/bbbbbbbb"] = new("1:2", default) { ModifiedAt = DateTimeOffset.FromUnixTimeSeconds(1_700_000_001).AddTicks(7) },
        });

    private static void AssertRefused(ErrorKind kind, string part, SnapshotDocument document)
    {
        var error = Assert.Throws<CoppiceException>(() => document.CheckRedefines(s_catalog));
        Assert.Equal(kind, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    private static Snapshot Take(string name, SnapshotId? parent, DomainState state, MemoryImage memory, string layer) => new()
    {
        Id = new SnapshotId(new Guid([.. name.Select(c => (byte)c), .. new byte[16 - name.Length]])),
        Name = name,
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_500),
        State = state,
        Parent = parent,
        Definition = new ShortId("dddddddd"),
        Memory = memory,
        Disks =
        [
            new DiskSnapshot { Target = "vda", Mode = DiskMode.External, Layer = new ShortId(layer) },
            new DiskSnapshot { Target = "vdb", Mode = DiskMode.None, Layer = new ShortId("ffffffff") },
        ],
    };

    private static Layer Layer(string id, string? parent) => new()
    {
        Id = new ShortId(id),
        Disk = "vda",
        Path = $"/images/{id}",
        Format = ImageFormat.Qcow2,
        VirtualSize = new ByteCount(1 << 20),
        Parent = parent is null ? null : new ShortId(parent),
        Origin = LayerOrigin.Coppice,
    };
}
