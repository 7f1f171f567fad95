using System.Collections.Immutable;
using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Disks come to a domain and leave it, while it runs or is off; nothing that was written goes unasked.</summary>
public sealed class HotPlugTests : IDisposable
{
    private const string More = "/images/more.qcow2";

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_disk_that_came_while_the_guest_ran_is_in_its_snapshots_and_leaves_with_a_revert()
    {
        await RunningAsync();
        await _world.SnapshotAsync("before");
        await _world.RunAsync(Scenario.Attach());
        _world.Host.Tick();
        Assert.Equal(["vda", "vdb", "vdc"], Targets());
        Assert.Equal("vdc", (await _world.Open().ShowAsync(World.Name)).Definition.Disks[^1].Target);
        await _world.SnapshotAsync("after");
        _world.Host.Tick();

        await _world.RunAsync(Scenario.Revert("before"));
        Assert.Equal(["vda", "vdb"], Targets());
        await _world.RunAsync(Scenario.Revert("after"));
        Assert.Equal(["vda", "vdb", "vdc"], Targets());
        _world.Host.Tick();
        Assert.Equal(0, _world.Host.State.Bad);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_snapshot_has_of_a_disk_stays_when_the_disk_leaves()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        _world.Host.Tick();
        await _world.SnapshotAsync("with");
        await _world.RunAsync(Scenario.Detach("vdc"));
        Assert.Equal(["vda", "vdb"], Targets());
        Assert.Equal(["vda", "vdb"], _world.Host.State.Processes.Values.Single().Drives.Select(d => d.Target));
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("with"));
        _world.Host.Tick();
        Assert.Equal(["vda", "vdb", "vdc"], Targets());
        Assert.Equal(0, _world.Host.State.Bad);
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_written_since_the_last_snapshot_does_not_go_unasked(bool running)
    {
        await RunningAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        if (!running)
        {
            await _world.RunAsync(new KillDomain(World.Name));
        }

        var layer = Chain("vdb")[0];
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdb")));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains(layer.Path, error.Problem, StringComparison.Ordinal);
        Assert.Equal(["vda", "vdb"], Targets());
        await _world.RunAsync(Scenario.Detach("vdb") with { Discard = true });
        Assert.DoesNotContain(layer.Path, _world.Host.State.Images.Keys);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task The_image_of_a_disk_that_left_is_the_users_and_can_come_back()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        await _world.RunAsync(Scenario.Detach("vdc"));
        Assert.Contains(More, _world.Host.State.Images.Keys);
        Assert.False(_world.Host.State.Uses(More));
        await _world.RunAsync(Scenario.Attach() with { Target = "vdz", ReadOnly = true, Serial = "one" });
        var disk = (await _world.Open().ShowAsync(World.Name)).Definition.Disks[^1];
        Assert.Equal(("vdz", true, "one", null), (disk.Target, disk.ReadOnly, disk.Serial, disk.Snapshot));
    }

    [Fact]
    public async Task A_guest_that_does_not_let_go_keeps_its_disk()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        _world.Host.GuestsObey = false;
        await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdc")));
        Assert.Equal(["vda", "vdb", "vdc"], Targets());
        await _world.SnapshotAsync("with");
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_disk_whose_file_stays_for_a_snapshot_inside_keeps_what_was_written_beside_it()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        await _world.SnapshotAsync("outside");
        await _world.RunAsync(new CreateSnapshot(World.Name)
        {
            Name = "inside", DiskOnly = true,
            Disks = [new("vda", DiskMode.None), new("vdb", DiskMode.None), new("vdc", DiskMode.Internal)],
        });
        _world.Host.Tick();
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdc")));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("--discard", error.NextStep, StringComparison.Ordinal);
        await _world.RunAsync(Scenario.Detach("vdc") with { Discard = true });
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_disk_that_the_guest_let_go_of_late_is_named_until_its_leaving_is_finished()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        var definition = (await _world.Open().ShowAsync(World.Name)).Definition;
        var process = _world.Catalog.Head.Process!.Value;
        var hypervisor = new FakeHypervisor(_world.Host);
        var (unplug, _) = hypervisor.Unplug(process, definition, new DiskChain("vdc", Chain("vdc")));
        await hypervisor.ApplyAsync(unplug, new StepContext(_world.Domain, new ShortId("0badcafe"), new Progress<StepProgress>()), default);

        await _world.RunAsync(new PauseDomain(World.Name));
        foreach (var request in (Request[])[new CreateSnapshot(World.Name), new SaveDomain(World.Name)])
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(ErrorKind.WrongState, error.Kind);
            Assert.Contains($"coppice disk detach {World.Name} vdc", error.NextStep, StringComparison.Ordinal);
        }

        await _world.RunAsync(Scenario.Detach("vdc"));
        await _world.SnapshotAsync("without");
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData("/images/web-a.qcow2", null, null, ErrorKind.InvalidInput)]
    [InlineData(More, "vda", null, ErrorKind.AlreadyExists)]
    [InlineData(More, "../x", null, ErrorKind.InvalidInput)]
    [InlineData(More, "sda", DiskBus.Sata, ErrorKind.MissingCapability)]
    [InlineData("/images/none.qcow2", null, null, ErrorKind.NotFound)]
    public async Task A_disk_that_cannot_come_is_refused_and_nothing_changes(string image, string? target, DiskBus? bus, ErrorKind kind)
    {
        await RunningAsync();
        var before = _world.Catalog;
        var attach = new AttachDisk(World.Name, new NewDisk(image, ImageFormat.Qcow2)) { Target = target, Bus = bus };
        Assert.Equal(kind, (await HomeTests.FailAsync(() => _world.RunAsync(attach))).Kind);
        Assert.Equal(before.Revision, _world.Catalog.Revision);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_guest_that_stands_still_lets_go_of_nothing_and_one_that_is_saved_gets_nothing()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        await _world.RunAsync(new PauseDomain(World.Name));
        Assert.Contains("coppice resume", (await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdc")))).NextStep, StringComparison.Ordinal);
        await _world.RunAsync(new SaveDomain(World.Name));
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdc")))).Kind);
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Attach() with { Target = "vdd" }))).Kind);
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdx")))).Kind);
    }

    [Fact]
    public async Task An_image_of_another_domain_is_not_plugged_in()
    {
        await RunningAsync();
        _world.AddImage("/images/shop-a.qcow2");
        _world.AddImage("/images/shop-b.raw");
        await _world.RunAsync(new DefineDomain(World.Definition("shop", 2)));
        var attach = new AttachDisk(World.Name, new NewDisk("/images/shop-a.qcow2", ImageFormat.Qcow2));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(attach));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.Contains("'shop'", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_guest_writes_while_it_lets_go_stays()
    {
        await RunningAsync();
        await _world.SnapshotAsync("one");
        var layer = Chain("vdb")[0];
        _world.Host.Acting = what =>
        {
            if (what is "unplug")
            {
                _world.Host.Tick();
            }
        };
        var result = await _world.RunAsync(Scenario.Detach("vdb"));
        Assert.Contains(result.Warnings, w => w.Contains(layer.Path, StringComparison.Ordinal));
        Assert.Contains(layer.Path, _world.Host.State.Images.Keys);
        Assert.Equal(["vda"], Targets());
    }

    [Fact]
    public async Task An_image_that_an_interrupted_attach_may_have_is_nobody_elses()
    {
        await RunningAsync();
        await Assert.ThrowsAnyAsync<Exception>(() => _world.Open().RunAsync(Scenario.Attach(), new RunOptions
        {
            OnEvent = e =>
            {
                if (e is { Point: OperationPoint.StepApplied, Step.Kind: "machine.plug" })
                {
                    throw new InvalidOperationException("killed");
                }
            },
        }));
        var shop = World.Definition("shop", 2) with { Disks = [World.More().Disks[^1]] };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(shop)));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
    }

    [Fact]
    public async Task An_image_that_took_no_part_in_a_snapshot_goes_to_another_domain_once_it_left()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Attach());
        await _world.RunAsync(new CreateSnapshot(World.Name)
        {
            Name = "excluding", Disks = [.. Scenario.External("vda", "vdb"), new DiskRequest("vdc", DiskMode.None)],
        });
        await _world.RunAsync(Scenario.Detach("vdc"));
        await _world.RunAsync(new DefineDomain(World.Definition("shop", 2) with { Disks = [World.More().Disks[^1]] }));
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Revert("excluding") with { Force = true }))).Kind);
    }

    [Fact]
    public async Task A_disk_comes_although_another_image_has_gone_meanwhile()
    {
        _world.AddImage("/images/install.iso");
        var disc = new DiskDevice
        {
            Target = "sda", Kind = DiskKind.Cdrom, Bus = DiskBus.Sata, Source = "/images/install.iso", ReadOnly = true,
        };
        await _world.RunAsync(new DefineDomain(World.Definition() with { Disks = World.Definition().Disks.Add(disc) }));
        await _world.StartAsync();
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Remove("/images/install.iso") };
        await _world.RunAsync(Scenario.Attach());
        Assert.Contains("vdc", Targets());
    }

    [Theory]
    [InlineData(DiskMode.External, DiskMode.External, ImageFormat.Raw, DiskMode.External)]
    [InlineData(DiskMode.Internal, DiskMode.Internal, ImageFormat.Qcow2, DiskMode.Internal)]
    [InlineData(DiskMode.Internal, DiskMode.Internal, ImageFormat.Raw, null)]
    [InlineData(DiskMode.None, DiskMode.External, ImageFormat.Qcow2, null)]
    [InlineData(DiskMode.Manual, DiskMode.Manual, ImageFormat.Qcow2, null)]
    public void A_disk_that_comes_is_snapshotted_as_all_others_are_if_it_can_be_R144(
        DiskMode first, DiskMode second, ImageFormat format, DiskMode? mode)
    {
        var disks = World.Definition().Disks;
        var definition = World.Definition() with { Disks = [disks[0] with { Snapshot = first }, disks[1] with { Snapshot = second }] };
        Assert.Equal(mode, DomainDisks.Added(definition, new AttachDisk(World.Name, new NewDisk(More, format))).Disks[^1].Snapshot);
    }

    private async Task RunningAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
    }

    private string[] Targets() => [.. _world.Catalog.Head.Disks.Select(d => d.Target)];

    private ImmutableArray<Layer> Chain(string disk) =>
        LayerGraph.Of(_world.Catalog).Chain(_world.Catalog.Head.Disks.Single(d => d.Target == disk).Layer);
}
