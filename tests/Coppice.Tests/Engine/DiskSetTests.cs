using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Disks come and go between snapshots: a revert brings back those that the domain had, and the tip keeps the others.</summary>
public sealed class DiskSetTests : IDisposable
{
    private const string More = "/images/more.qcow2";

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_disk_that_was_added_since_leaves_with_the_tip_and_comes_back_with_its_snapshot()
    {
        await AddDiskAsync();
        Assert.Equal(["vda", "vdb", "vdc"], Targets(_world.Catalog.Head));
        await SnapshotAsync("after", "vda", "vdb", "vdc");
        Inspection.CheckAll(_world);

        await _world.RunAsync(Scenario.Revert("before"));
        Assert.Equal(["vda", "vdb"], Targets(_world.Catalog.Head));
        Assert.Equal(2, (await _world.Open().ShowAsync(World.Name)).Definition.Disks.Length);
        await _world.RunAsync(Scenario.Revert("after"));
        Assert.Equal(["vda", "vdb", "vdc"], Targets(_world.Catalog.Head));
        await _world.RunAsync(Scenario.Revert("before") with { DiscardCurrent = true });
        await _world.RunAsync(Scenario.Revert("after") with { DiscardCurrent = true });
        Assert.Equal(More, Chain("vdc")[^1].Path);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task An_image_of_the_users_own_can_be_taken_away_and_what_is_in_layers_of_Coppice_cannot()
    {
        await _world.RunAsync(new DefineDomain(World.More()));
        await SnapshotAsync("one", "vda", "vdb");
        await _world.DefineAsync();
        Assert.Equal(["vda", "vdb"], Targets(_world.Catalog.Head));
        Assert.Contains(More, _world.Host.State.Images.Keys);

        var without = World.Definition() with { Disks = [World.Definition().Disks[0]] };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(without)));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("vdb", error.Problem, StringComparison.Ordinal);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_disk_that_took_no_part_is_not_taken_back_unasked_and_can_be_given_back()
    {
        await AddDiskAsync();
        await SnapshotAsync("excluding", "vda", "vdb");
        var left = Chain("vdc")[0];
        await _world.RunAsync(Scenario.Revert("before") with { DiscardCurrent = true });
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Revert("excluding")));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("vdc", error.Subject, StringComparison.Ordinal);

        await _world.RunAsync(new DefineDomain(World.More()));
        await _world.RunAsync(Scenario.Revert("excluding") with { DiscardCurrent = true });
        Assert.Equal(left, Chain("vdc")[0]);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task An_image_that_a_tip_has_is_nobody_elses()
    {
        await AddDiskAsync();
        await _world.RunAsync(Scenario.Revert("before"));
        Assert.Single(_world.Catalog.Tips);
        _world.AddImage("/images/on-more.qcow2", More);
        var disk = new DiskDevice { Target = "vda", Source = "/images/on-more.qcow2", Format = ImageFormat.Qcow2 };
        await RefuseAsync(World.Definition("thief", 2) with { Disks = [disk] });
        await RefuseAsync(With(disk with { Target = "vdd" }));
    }

    [Fact]
    public async Task An_image_that_a_snapshot_froze_can_be_read_and_built_upon_by_another_disk_of_the_domain()
    {
        await AddDiskAsync();
        await SnapshotAsync("after", "vda", "vdb", "vdc");
        await _world.RunAsync(Scenario.Revert("before") with { DiscardCurrent = true });
        _world.AddImage("/images/on-more.qcow2", More);
        await _world.RunAsync(new DefineDomain(With(
            new DiskDevice { Target = "vdc", Source = "/images/on-more.qcow2", Format = ImageFormat.Qcow2 })));
        Assert.Equal([More], Chain("vdc").Skip(1).Select(l => l.Path));
        Inspection.CheckAll(_world);

        await _world.DefineAsync();
        await _world.RunAsync(new DefineDomain(With(World.More().Disks[^1] with { ReadOnly = true })));
        await _world.RunAsync(Scenario.Revert("after"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_snapshot_relies_on_is_no_image_for_another_disk()
    {
        await AddDiskAsync();
        await SnapshotAsync("after", "vda", "vdb", "vdc");
        await _world.RunAsync(Scenario.Revert("before") with { DiscardCurrent = true });

        var error = await RefuseAsync(World.More());
        Assert.Contains(More, error.Subject, StringComparison.Ordinal);
        Assert.Contains($"'{World.Name}'", error.Problem, StringComparison.Ordinal);
        Assert.Equal(["vda", "vdb"], Targets(_world.Catalog.Head));
    }

    [Fact]
    public async Task The_disc_that_was_in_the_drive_is_back_in_it()
    {
        _world.AddImage("/images/one.iso");
        _world.AddImage("/images/two.iso");
        await _world.RunAsync(new DefineDomain(WithDisc("/images/one.iso")));
        await SnapshotAsync("one", "vda", "vdb");
        await _world.RunAsync(new DefineDomain(WithDisc("/images/two.iso")));
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Equal("/images/one.iso", Chain("sda")[0].Path);
        await _world.RunAsync(new UndoRevert(World.Name));
        Assert.Equal("/images/two.iso", Chain("sda")[0].Path);
    }

    private async Task<CoppiceException> RefuseAsync(DomainDefinition definition)
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(definition)));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        return error;
    }

    /// <summary>A domain with a snapshot, and a disk more since.</summary>
    private async Task AddDiskAsync()
    {
        await _world.DefineAsync();
        await SnapshotAsync("before", "vda", "vdb");
        await _world.RunAsync(new DefineDomain(World.More()));
    }

    private static string[] Targets(Head head) => [.. head.Disks.Select(d => d.Target)];

    private static DomainDefinition With(DiskDevice disk) =>
        World.Definition() with { Disks = World.Definition().Disks.Add(disk) };

    private static DomainDefinition WithDisc(string disc) => With(
        new DiskDevice { Target = "sda", Kind = DiskKind.Cdrom, Bus = DiskBus.Sata, Source = disc, ReadOnly = true });

    private Task<OperationResult> SnapshotAsync(string name, params string[] disks) => _world.RunAsync(new CreateSnapshot(World.Name)
    {
        Name = name,
        Disks = [.. _world.Catalog.Head.Disks.Select(d => new DiskRequest(d.Target, disks.Contains(d.Target) ? DiskMode.External : DiskMode.None))],
    });

    private ImmutableArray<Layer> Chain(string disk) =>
        LayerGraph.Of(_world.Catalog).Chain(_world.Catalog.Head.Disks.Single(d => d.Target == disk).Layer);
}
