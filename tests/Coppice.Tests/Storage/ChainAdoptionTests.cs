using System.Globalization;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Tests.Engine;
using Coppice.Tests.Images;
using Coppice.Tests.Trees;

namespace Coppice.Tests.Storage;

/// <summary>Chains of real images that qemu-img, or libvirt, has made become snapshots of the tree (R52, R56).</summary>
public sealed class ChainAdoptionTests : IDisposable
{
    private readonly TempFolder _folder = TempFolder.InMemory();
    private readonly ImageOrchard _orchard;

    public ChainAdoptionTests() => _orchard = ImageOrchard.Enter(_folder.Path);

    public void Dispose()
    {
        _orchard.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task The_images_below_one_disk_become_snapshots_called_like_their_files_and_are_never_removed()
    {
        await DefineAsync("vda");
        var before = Held("vda");
        var adopted = await RunAsync(new AdoptChain(World.Name));
        Assert.Empty(adopted.Plan.Warnings);
        var (catalog, sight) = (await CatalogAsync(), Assert.Single(await _orchard.LookAsync()));
        var (first, second) = (catalog.Find("vda-0.qcow2"), catalog.Find("vda-1.qcow2"));
        Assert.Equal((null, first.Id, second.Id), (first.Parent, second.Parent, catalog.Current));
        Assert.Equal<string>(before, [sight[first.Name]["vda"], sight[second.Name]["vda"], sight.Head["vda"]]);
        Assert.Equal(Consistency.Crash, first.Consistency);

        await RunAsync(new RevertSnapshot(World.Name, first.Name, RevertState.AsTaken, DiscardCurrent: false, Force: false));
        Assert.Equal(before[0], Assert.Single(await _orchard.LookAsync()).Head["vda"]);
        Assert.DoesNotContain(await _orchard.Open().CheckAsync(World.Name), f => f.Severity is not Severity.Note);
        await RunAsync(new UndoRevert(World.Name));
        await RunAsync(new DeleteSnapshot(World.Name, first.Name, metadataOnly: true));
        await RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        Assert.Equal(before, Held("vda"));
        Assert.Equal(ErrorKind.NotFound, (await FailAsync(new AdoptChain(World.Name))).Kind);
    }

    [Fact]
    public async Task Documents_of_libvirt_say_which_images_of_several_disks_are_one_snapshot()
    {
        await DefineAsync("vda", "vdb");
        var (before, other) = (Held("vda"), Held("vdb"));
        var error = await FailAsync(new AdoptChain(World.Name));
        Assert.Contains("vda, vdb", error.Problem, StringComparison.Ordinal);
        Assert.Contains("--xml", error.NextStep, StringComparison.Ordinal);

        var adopted = await RunAsync(new AdoptChain(World.Name)
        {
            Documents = [Document("second", "first", 1, "disk-snapshot", ["vda", "vdb"]), Document("first", null, 0, "running", ["vda", "vdb"])],
        });
        Assert.Contains("memory of 'first'", Assert.Single(adopted.Plan.Warnings), StringComparison.Ordinal);
        var (catalog, sight) = (await CatalogAsync(), Assert.Single(await _orchard.LookAsync()));
        Assert.Equal(catalog.Find("first").Id, catalog.Find("second").Parent);
        Assert.Equal(("what first is", 60), (catalog.Find("first").Description, catalog.Find("first").CreatedAt.ToUnixTimeSeconds()));
        Assert.Equal((before[0], before[1]), (sight["first"]["vda"], sight["second"]["vda"]));
        Assert.Equal((other[0], other[1]), (sight["first"]["vdb"], sight["second"]["vdb"]));
        Assert.Equal(ErrorKind.NotFound, (await FailAsync(new AdoptChain(World.Name))).Kind);
    }

    [Fact]
    public async Task A_document_that_does_not_fit_the_chain_is_refused_and_nothing_changes()
    {
        await DefineAsync("vda", "vdb");
        var revision = (await CatalogAsync()).Revision;
        var elsewhere = Document("one", null, 0, "shutoff", ["vda"]);
        await RefusedAsync("does not build on /elsewhere", elsewhere with { Disks = [elsewhere.Disks[0] with { File = "/elsewhere" }] });
        await RefusedAsync("which file disk 'vda' went on in", elsewhere with { Disks = [new DiskRequest("vda", DiskMode.Internal)] });
        await RefusedAsync("which file disk 'vda' went on in", elsewhere with { Disks = [new DiskRequest("vda", DiskMode.External)] });
        await RefusedAsync("no disk with snapshot='external'", elsewhere with { Disks = [] });
        await RefusedAsync("no image of yours", elsewhere with { Disks = [elsewhere.Disks[0] with { File = PathOf("vda", 0) }] });
        await RefusedAsync("does not build on", elsewhere with { Disks = [elsewhere.Disks[0] with { Target = "vdz" }] });
        await RefusedAsync("those of 'one' as well", elsewhere, Document("two", "one", 0, "shutoff", ["vda"]));
        await RefusedAsync("neither in the tree", Document("two", "one", 0, "shutoff", ["vda"]));
        Assert.Equal(revision, (await CatalogAsync()).Revision);

        var adopted = await RunAsync(new AdoptChain(World.Name) { Documents = [elsewhere] });
        Assert.Contains(adopted.Plan.Warnings, w => w == $"no document is about {PathOf("vda", 1)}");
        await RefusedAsync("the name is taken", Document("one", null, 1, "shutoff", ["vda"]));
    }

    private async Task RefusedAsync(string problem, params SnapshotDocument[] documents)
    {
        var error = await FailAsync(new AdoptChain(World.Name) { Documents = [.. documents] });
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.NotEqual("", error.NextStep);
    }

    /// <summary>Disks of three images each, every one with something of its own, and a domain on the topmost.</summary>
    private async Task DefineAsync(params string[] disks)
    {
        Assert.SkipUnless(Tool.HasQemuImg, Tool.NoQemuImg);
        foreach (var disk in disks)
        {
            for (var i = 0; i < 3; i++)
            {
                string[] below = i == 0 ? [] : ["-F", "qcow2", "-b", PathOf(disk, i - 1)];
                await Tool.RunAsync("qemu-img", ["create", "-q", "-f", "qcow2", .. below, PathOf(disk, i), "1M"]);
                await Tool.RunAsync(
                    "qemu-io", "-f", "qcow2", "-c", string.Create(CultureInfo.InvariantCulture, $"write -P {i + 1} {i * 64}k 64k"), PathOf(disk, i));
            }
        }

        await RunAsync(new DefineDomain(World.Definition() with
        {
            Disks = [.. disks.Select(d => new DiskDevice { Target = d, Source = PathOf(d, 2), Format = ImageFormat.Qcow2 })],
        }));
    }

    private string PathOf(string disk, int place) => _folder.File(string.Create(CultureInfo.InvariantCulture, $"{disk}-{place}.qcow2"));

    private string[] Held(string disk) => [.. Enumerable.Range(0, 3).Select(i => GuestDisk.Fingerprint(PathOf(disk, i), ImageFormat.Qcow2))];

    private async Task<Catalog> CatalogAsync() => (await _orchard.Open().ShowAsync(World.Name)).Catalog;

    private Task<OperationResult> RunAsync(Request request) =>
        _orchard.Open().RunAsync(request, new RunOptions(), TestContext.Current.CancellationToken);

    private Task<CoppiceException> FailAsync(Request request) => Assert.ThrowsAsync<CoppiceException>(() => RunAsync(request));

    /// <summary>As virsh snapshot-dumpxml prints them: each disk with the overlay that was made.</summary>
    private SnapshotDocument Document(string name, string? parent, int frozen, string state, string[] disks) => SnapshotXml.Parse(
        $"""
        <domainsnapshot>
          <name>{name}</name>
          <description>what {name} is</description>
          <state>{state}</state>
          {(parent is null ? "" : $"<parent><name>{parent}</name></parent>")}
          <creationTime>{60 + frozen}</creationTime>
          <memory snapshot='{(state is "running" ? "external" : "no")}'{(state is "running" ? " file='/var/lib/libvirt/qemu/save'" : "")}/>
          <disks>
            {string.Concat(disks.Select(d => $"<disk name='{d}' snapshot='external' type='file'><driver type='qcow2'/><source file='{PathOf(d, frozen + 1)}'/></disk>"))}
          </disks>
          <domain><uuid>{World.Id}</uuid></domain>
        </domainsnapshot>
        """,
        SnapshotParseMode.Redefine);
}
