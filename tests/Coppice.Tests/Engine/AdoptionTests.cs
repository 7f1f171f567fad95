using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Internal snapshots that savevm, virsh or qemu-img made become snapshots of the tree (R52, R56).</summary>
public sealed class AdoptionTests : IDisposable
{
    private const string Image = "/images/web-a.qcow2", Other = "/images/more.qcow2";

    private static readonly AdoptSnapshots s_adopt = new(World.Name);

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    /// <summary>Somebody snapshots an image of the domain as it is now, a while after 1970; with memory if a guest has it.</summary>
    internal static void Make(World world, string tag, int minutes, string image = Image)
    {
        var user = world.Host.State.Processes.Values.FirstOrDefault(p => p.Drives.Any(d => d.Path == image));
        world.Host.State = world.Host.State.With(image, i => i with
        {
            Internals = i.Internals.Add(tag, new FakeInternal(i.Blocks, user?.Counter) { TakenAt = DateTimeOffset.UnixEpoch.AddMinutes(minutes) }),
        });
        world.Forgotten.Add($"{image} {tag}");
    }

    [Fact]
    public async Task They_become_a_branch_by_time_can_be_reverted_to_and_go_when_they_are_deleted()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        Make(_world, "with memory", 2);
        var counter = _world.Host.State.Processes.Values.Single().Counter;
        _world.Host.Tick();
        await _world.RunAsync(new KillDomain(World.Name));
        Make(_world, "later, off", 3);
        Make(_world, "early", 1);
        var result = await _world.RunAsync(s_adopt);
        Assert.Contains("memory of 'with memory'", Assert.Single(Planned(result)), StringComparison.Ordinal);

        var (catalog, early) = (_world.Catalog, _world.Catalog.Find("early"));
        var (memory, off) = (catalog.Find("with memory"), catalog.Find("later, off"));
        Assert.Equal((null, early.Id, memory.Id, off.Id), (early.Parent, memory.Parent, off.Parent, catalog.Current));
        Assert.Equal((DomainState.Off, DomainState.Running), (early.State, memory.State));
        Assert.Equal([DiskMode.Internal, DiskMode.None], memory.Disks.Select(d => d.Mode));
        Assert.Equal(DateTimeOffset.UnixEpoch.AddMinutes(1), early.CreatedAt);

        await _world.RunAsync(Scenario.Revert("with memory") with { Force = true });
        Assert.Equal(counter, _world.Host.State.Processes.Values.Single().Counter);
        await _world.RunAsync(Scenario.Revert("early"));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "later, off", metadataOnly: false));
        Assert.DoesNotContain("later, off", _world.Host.State.Images[Image].Internals.Keys);
        Assert.Contains("early", _world.Host.State.Images[Image].Internals.Keys);
    }

    [Fact]
    public async Task Those_of_images_that_the_disk_has_left_are_found_too_and_ours_are_not_taken_twice()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name)
        {
            Name = "ours", Disks = [new DiskRequest("vda", DiskMode.Internal), new DiskRequest("vdb", DiskMode.None)],
        });
        Make(_world, "theirs", 1);
        await _world.SnapshotExternalAsync("on top");
        await _world.RunAsync(s_adopt);
        Assert.Equal(["on top", "ours", "theirs"], _world.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal));
        Assert.Equal(_world.Catalog.Find("on top").Id, _world.Catalog.Current);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(s_adopt));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_was_taken_of_two_disks_in_one_instant_is_one_snapshot_and_what_was_not_is_left_alone_by_name()
    {
        await _world.RunAsync(new DefineDomain(World.More()));
        Make(_world, "both", 1);
        Make(_world, "both", 1, Other);
        Make(_world, "apart", 1);
        Make(_world, "apart", 2, Other);
        Make(_world, "-rf", 3);
        Make(_world, "line\nbreak", 4);
        var left = Planned(await _world.RunAsync(s_adopt));
        var both = Assert.Single(_world.Catalog.Snapshots.Values);
        Assert.Equal(["vda", "vdc"], both.Disks.Where(d => d.IsKept).Select(d => d.Target));
        Assert.Equal(3, left.Length);
        Assert.Contains("different times on vda, vdc", left[0], StringComparison.Ordinal);
        Assert.Contains("starts with '-'", left[1], StringComparison.Ordinal);
        Assert.Contains("control character", left[2], StringComparison.Ordinal);

        var error = await HomeTests.FailAsync(() => _world.RunAsync(s_adopt));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("different times", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_has_the_name_of_a_snapshot_is_left_alone()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        Make(_world, "one", 1);
        Make(_world, "two", 2);
        Assert.Contains("the name is taken", Assert.Single(Planned(await _world.RunAsync(s_adopt))), StringComparison.Ordinal);
        Assert.Equal(["one", "two"], _world.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Documents_of_libvirt_say_description_parent_and_current_and_nothing_that_the_image_denies()
    {
        await _world.DefineAsync();
        Make(_world, "base", 1);
        Make(_world, "left", 2);
        Make(_world, "right", 3);
        var documents = s_adopt with { Documents = [Document("base", null), Document("left", "base", active: true), Document("right", "base"), Document("none", null)] };
        Assert.Contains("'none'", Assert.Single(Planned(await _world.RunAsync(documents))), StringComparison.Ordinal);
        var (catalog, root) = (_world.Catalog, _world.Catalog.Find("base"));
        Assert.Equal((root.Id, root.Id), (catalog.Find("left").Parent, catalog.Find("right").Parent));
        Assert.Equal((catalog.Find("left").Id, "what left is"), (catalog.Current, catalog.Find("left").Description));
    }

    [Theory]
    [InlineData("state", "its images say 'shutoff'")]
    [InlineData("later", "neither in the tree nor among what was taken before it")]
    [InlineData("circle", "neither in the tree nor among what was taken before it")]
    [InlineData("twice", "more than one document")]
    [InlineData("domain", "another domain's")]
    public async Task A_document_that_cannot_be_right_changes_nothing(string wrong, string problem)
    {
        await _world.DefineAsync();
        Make(_world, "base", 1);
        Make(_world, "left", 2);
        var good = Document("base", null);
        SnapshotDocument[] documents = wrong switch
        {
            "state" => [good with { State = SnapshotState.Running }],
            "later" => [good with { Parent = "left" }],
            "circle" => [good with { Parent = "left" }, Document("left", "base")],
            "twice" => [good, good],
            _ => [good with { DomainId = new DomainId(Guid.Empty) }],
        };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(s_adopt with { Documents = [.. documents] }));
        Assert.Contains(problem, error.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
        Assert.Empty(_world.Catalog.Snapshots);
    }

    [Fact]
    public async Task A_domain_with_a_TPM_is_refused_for_no_image_says_what_that_kept()
    {
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        Make(_world, "one", 1);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(s_adopt));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Empty(_world.Catalog.Snapshots);
    }

    [Fact]
    public async Task What_is_inside_an_image_that_another_domain_has_lent_is_neither_adopted_nor_ever_removed()
    {
        await _world.DefineAsync();
        Make(_world, "theirs", 1);
        await _world.SnapshotExternalAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new AdoptSnapshots("copy")));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains($"inside {Image} is left alone", error.Problem, StringComparison.Ordinal);

        // A version that adopted them has left such a catalog.
        var (folder, catalog) = _world.Fork("copy");
        var one = catalog.Snapshots.Values.Single();
        var lent = LayerGraph.Of(catalog).All.Single(l => l.Path == Image);
        var inside = lent with { Origin = LayerOrigin.Coppice, Inside = new InternalPlace(lent.Id, "theirs") };
        Snapshot Adopted(int n) => one with
        {
            Id = new SnapshotId(new Guid(n, 0, 0, new byte[8])), Name = $"adopted {n}", Parent = null,
            Layers = [inside with { Id = new ShortId($"0badcaf{n}") }],
            Disks =
            [
                one.Disks[0] with { Mode = DiskMode.Internal, Layer = new ShortId($"0badcaf{n}") },
                one.Disks[1] with { Mode = DiskMode.None },
            ],
        };
        var store = new CatalogStore(folder);
        var change = new CatalogChange { Head = catalog.Head, Current = catalog.Current, Put = [Adopted(1), Adopted(2)] };
        await store.CommitAsync(await store.StageAsync(change, catalog.Last));
        await _world.RunAsync(new DeleteSnapshot("copy", "adopted 1", metadataOnly: false));
        Assert.Contains("theirs", _world.Host.State.Images[Image].Internals.Keys);
        await _world.RunAsync(new UndefineDomain("copy", Snapshots: true));
        Assert.Contains("theirs", _world.Host.State.Images[Image].Internals.Keys);
    }

    /// <summary>As libvirt keeps it, with the comment that it begins with.</summary>
    private static SnapshotDocument Document(string name, string? parent, bool active = false) => SnapshotXml.Parse(
        $"""
        <!--
        WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
        OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
          virsh snapshot-edit {World.Name} {name}
        or other application using the libvirt API.
        -->
        <domainsnapshot>
          <name>{name}</name>
          <description>what {name} is</description>
          <state>shutoff</state>
          {(parent is null ? "" : $"<parent><name>{parent}</name></parent>")}
          <creationTime>60</creationTime>
          <memory snapshot='no'/>
          <disks><disk name='vda' snapshot='internal'/></disks>
          <domain><uuid>{World.Id}</uuid></domain>
          <active>{(active ? 1 : 0)}</active>
          <cookie><cpu mode='host-passthrough'/></cookie>
        </domainsnapshot>
        """,
        SnapshotParseMode.Redefine);

    private static string[] Planned(Coppice.Engine.OperationResult result) => [.. result.Plan.Warnings];
}
