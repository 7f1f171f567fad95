using Coppice.Contracts.Libvirt;
using Coppice.Core;
using Coppice.Libvirt.Wire;

namespace Coppice.Tests.Libvirt;

/// <summary>Snapshots through libvirt's protocol: every flag, and what is refused.</summary>
public sealed class SnapshotCallTests
{
    private const int NoSnapshot = 72, InvalidArgument = 8, NoDomain = 42, XmlError = 27, InvalidDocument = 92;

    [Fact]
    public async Task A_tree_is_listed_by_every_flag()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, 0));
        Assert.Equal(["one"], await NamesAsync(client, ListFlag.Roots));
        Assert.Equal(["three"], await NamesAsync(client, ListFlag.Leaves));
        Assert.Equal(["one", "two"], await NamesAsync(client, ListFlag.NoLeaves));
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, ListFlag.Metadata));
        Assert.Empty(await NamesAsync(client, ListFlag.NoMetadata));
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, ListFlag.Metadata | ListFlag.NoMetadata));
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, ListFlag.Active));
        Assert.Empty(await NamesAsync(client, ListFlag.Inactive));
        Assert.Empty(await NamesAsync(client, ListFlag.DiskOnly));
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, ListFlag.External));
        Assert.Empty(await NamesAsync(client, ListFlag.Internal));
        var (all, count) = await client.CallAsync(SnapshotProcedures.ListAll, (EndpointBed.Web, 1, ListFlag.Topological));
        Assert.Equal(["one", "two", "three"], all.Select(s => s.Name));
        Assert.Equal(3, count);
        Assert.Empty((await client.CallAsync(SnapshotProcedures.ListAll, (EndpointBed.Web, 0, 0u))).Snapshots);
        Assert.Equal(3, await client.CallAsync(SnapshotProcedures.Count, (EndpointBed.Web, 0u)));
        var one = new RemoteSnapshot("one", EndpointBed.Web);
        Assert.Equal(1, await client.CallAsync(SnapshotProcedures.CountChildren, (one, 0u)));
        Assert.Equal(["two", "three"], await client.CallAsync(SnapshotProcedures.ListChildrenNames, (one, 9, ListFlag.Roots | ListFlag.Topological)));
        Assert.Equal(["two"], (await client.CallAsync(SnapshotProcedures.ListAllChildren, (one, 1, 0u))).Snapshots.Select(s => s.Name));
        Assert.Equal(InvalidArgument, (await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.Count, (EndpointBed.Web, 1u << 20)))).Code);
    }

    [Fact]
    public async Task One_is_found_by_name_and_knows_its_parent_and_whether_it_is_current()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: false);
        await using var client = await bed.OpenAsync();
        var three = await client.CallAsync(SnapshotProcedures.LookupByName, (EndpointBed.Web, "three", 0u));
        Assert.Equal(new RemoteSnapshot("three", EndpointBed.Web), three);
        Assert.Equal("two", (await client.CallAsync(SnapshotProcedures.GetParent, (three, 0u))).Name);
        Assert.True(await client.CallAsync(SnapshotProcedures.HasCurrent, (EndpointBed.Web, 0u)));
        Assert.Equal("three", (await client.CallAsync(SnapshotProcedures.GetCurrent, (EndpointBed.Web, 0u))).Name);
        Assert.True(await client.CallAsync(SnapshotProcedures.IsCurrent, (three, 0u)));
        Assert.True(await client.CallAsync(SnapshotProcedures.HasMetadata, (three, 0u)));
        var root = await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.GetParent, (new RemoteSnapshot("one", EndpointBed.Web), 0u)));
        Assert.Equal((NoSnapshot, 35, "Domain snapshot not found: snapshot 'one' does not have a parent"), (root.Code, root.Domain, root.Message));
        Assert.Equal(NoSnapshot, (await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.LookupByName, (EndpointBed.Web, "four", 0u)))).Code);
        var nobody = new RemoteDomain("web", Guid.NewGuid(), -1);
        Assert.Equal(NoDomain, (await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.LookupByName, (nobody, "one", 0u)))).Code);
    }

    [Fact]
    public async Task One_is_taken_reverted_to_and_deleted_with_its_children()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        var taken = await CreateAsync(client, "<domainsnapshot><name>four</name><description>d</description></domainsnapshot>", 16);
        Assert.Equal("four", taken.Name);
        Assert.Equal(MemoryMode.None, bed.World.Catalog.Find("four").Memory.Mode);
        await client.CallAsync(SnapshotProcedures.Revert, (new RemoteSnapshot("one", EndpointBed.Web), 2u));
        Assert.Equal("one", bed.World.Catalog.Snapshots[bed.World.Catalog.Current!.Value].Name);
        Assert.Equal(DomainState.Paused, (await bed.World.Open().ShowAsync("web")).Hypervisor.State);
        await client.CallAsync(SnapshotProcedures.Delete, (new RemoteSnapshot("three", EndpointBed.Web), 4u));
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, 0));
        await client.CallAsync(SnapshotProcedures.Delete, (new RemoteSnapshot("two", EndpointBed.Web), 1u));
        Assert.Equal(["one"], await NamesAsync(client, 0));
        var both = await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.Delete, (new RemoteSnapshot("one", EndpointBed.Web), 5u)));
        Assert.Equal((InvalidArgument, "invalid argument: children and children-only exclude each other"), (both.Code, both.Message));
        Assert.Equal(
            InvalidArgument, (await EndpointBed.RefusedAsync(client.CallAsync(SnapshotProcedures.Revert, (new RemoteSnapshot("one", EndpointBed.Web), 3u)))).Code);
    }

    [Fact]
    public async Task What_was_forgotten_comes_back_by_its_own_document()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: false);
        await using var client = await bed.OpenAsync();
        var two = new RemoteSnapshot("two", EndpointBed.Web);
        var xml = await client.CallAsync(SnapshotProcedures.GetXml, (two, 0u));
        await client.CallAsync(SnapshotProcedures.Delete, (two, 2u));
        Assert.Equal(["one", "three"], await NamesAsync(client, 0));
        Assert.Equal("two", (await CreateAsync(client, xml, 1 | 2)).Name);
        Assert.Equal("two", (await client.CallAsync(SnapshotProcedures.GetCurrent, (EndpointBed.Web, 0u))).Name);
        foreach (var flags in new uint[] { 1 | 4, 1 | 8, 1 | 256, 2, 1 << 10 })
        {
            Assert.Equal(InvalidArgument, (await EndpointBed.RefusedAsync(CreateAsync(client, xml, flags))).Code);
        }
    }

    [Fact]
    public async Task Without_metadata_nothing_is_recorded_and_a_validated_document_must_be_known()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        Assert.Equal("none", (await CreateAsync(client, "<domainsnapshot><name>none</name></domainsnapshot>", 4 | 16)).Name);
        Assert.Equal(["one", "three", "two"], await NamesAsync(client, 0));
        const string Odd = "<domainsnapshot><name>odd</name><colour>red</colour></domainsnapshot>";
        Assert.Equal(InvalidDocument, (await EndpointBed.RefusedAsync(CreateAsync(client, Odd, 512))).Code);
        Assert.Equal("odd", (await CreateAsync(client, Odd, 0)).Name);
        Assert.Equal(XmlError, (await EndpointBed.RefusedAsync(CreateAsync(client, "<domainsnapshot><name>a/b</name></domainsnapshot>", 0))).Code);
        Assert.Equal(XmlError, (await EndpointBed.RefusedAsync(CreateAsync(client, "<domainsnapshot>", 0))).Code);
        Assert.NotEqual("", (await CreateAsync(client, "<domainsnapshot/>", 0)).Name);
        Assert.Equal(5, bed.World.Catalog.Snapshots.Count);
    }

    [Fact]
    public async Task One_that_is_edited_to_have_another_name_is_there_twice_until_the_first_is_forgotten()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: false);
        await using var client = await bed.OpenAsync();
        var two = new RemoteSnapshot("two", EndpointBed.Web);
        var xml = await client.CallAsync(SnapshotProcedures.GetXml, (two, 0u));
        Assert.Equal("deux", (await CreateAsync(client, xml.Replace("<name>two<", "<name>deux<", StringComparison.Ordinal), 1)).Name);
        Assert.Equal(["deux", "one", "three", "two"], await NamesAsync(client, 0));
        await client.CallAsync(SnapshotProcedures.Delete, (two, 2u));
        Assert.Equal(["deux", "one", "three"], await NamesAsync(client, 0));
        await client.CallAsync(SnapshotProcedures.Revert, (new RemoteSnapshot("deux", EndpointBed.Web), 0u));
        bed.World.Host.Tick();
        Assert.Equal(0, bed.World.Host.State.Bad);
    }

    [Fact]
    public async Task What_libvirt_keeps_inside_images_is_known_again_by_its_document()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: false);
        await bed.World.RunAsync(new RevertSnapshot(Engine.World.Name, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        await bed.World.RunAsync(new KillDomain(Engine.World.Name));
        var image = LayerGraph.Of(bed.World.Catalog)[bed.World.Catalog.Head.Disks[0].Layer].Path;
        foreach (var tag in new[] { "theirs", "other" })
        {
            Engine.AdoptionTests.Make(bed.World, tag, 1, image);
        }

        await using var client = await bed.OpenAsync();
        var current = bed.World.Catalog.Current;
        string Document(string name) => $"""
            <domainsnapshot><name>{name}</name><state>shutoff</state><creationTime>60</creationTime><description>of libvirt</description>
            <parent><name>one</name></parent><memory snapshot='no'/><disks><disk name='vda' snapshot='internal'/><disk name='vdb' snapshot='no'/></disks>
            <domain><uuid>{EndpointBed.Web.Uuid}</uuid></domain></domainsnapshot>
            """;

        Assert.Equal("theirs", (await CreateAsync(client, Document("theirs"), 1)).Name);
        Assert.Equal(["one", "theirs", "three", "two"], await NamesAsync(client, 0));
        Assert.Equal(current, bed.World.Catalog.Current);
        Assert.Equal(("of libvirt", bed.World.Catalog.Find("one").Id), bed.World.Catalog.Find("theirs") is var found ? (found.Description, found.Parent) : default);
        Assert.Equal(8, (await EndpointBed.RefusedAsync(CreateAsync(client, Document("nowhere"), 1))).Code);
        Assert.Equal("other", (await CreateAsync(client, Document("other"), 1 | 2)).Name);
        Assert.Equal("other", bed.World.Catalog.Snapshots[bed.World.Catalog.Current!.Value].Name);
    }

    [Fact]
    public async Task What_is_missing_is_an_argument_where_domain_and_snapshot_are_there()
    {
        await using var bed = await EndpointBed.StartAsync();
        await bed.World.ThreeAsync(runs: true);
        await using var client = await bed.OpenAsync();
        const string Disk = "<domainsnapshot><disks><disk name='vdz' snapshot='external'/></disks></domainsnapshot>";
        Assert.Equal(InvalidArgument, (await EndpointBed.RefusedAsync(CreateAsync(client, Disk, 16))).Code);
        Assert.Equal(XmlError, (await EndpointBed.RefusedAsync(CreateAsync(client, "<domaincheckpoint/>", 0))).Code);
    }

    private static Task<RemoteSnapshot> CreateAsync(WireClient client, string xml, uint flags) =>
        client.CallAsync(SnapshotProcedures.Create, (EndpointBed.Web, xml, flags));

    private static async Task<string[]> NamesAsync(WireClient client, uint flags) =>
        [.. (await client.CallAsync(SnapshotProcedures.ListNames, (EndpointBed.Web, 100, flags))).Order(StringComparer.Ordinal)];

    private static class ListFlag
    {
        public const uint Roots = 1, Metadata = 2, Leaves = 4, NoLeaves = 8, NoMetadata = 16, Inactive = 32, Active = 64, DiskOnly = 128,
            Internal = 256, External = 512, Topological = 1024;
    }
}
