using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A raw disk in a block device: snapshots put layers on it in the domain's folder, and nothing makes or removes it.</summary>
public sealed class BlockDeviceTests : IDisposable
{
    private static readonly ByteCount s_size = new(1 << 20), s_larger = new(4 << 20);

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_next_layer_is_a_file_in_the_domains_folder_and_the_device_outlives_them_all(bool runs)
    {
        await DefineAsync();
        await (runs ? _world.StartAsync() : Task.CompletedTask);
        await _world.RunAsync(External("one"));
        var graph = LayerGraph.Of(_world.Catalog);
        var chain = graph.Chain(_world.Catalog.Head.Disks.Single(d => d.Target == "vdb").Layer);
        Assert.Equal([StorageType.File, StorageType.Block], chain.Select(l => l.Type));
        Assert.StartsWith($"{_world.Domain.Images("vdb")}/", chain[0].Path, StringComparison.Ordinal);
        Assert.Equal((World.DevicePath, ImageFormat.Raw), (chain[1].Path, chain[1].Format));

        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
        _world.Host.Tick();
        await (runs ? _world.RunAsync(new UndoRevert(World.Name)) : Task.CompletedTask);
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Inspection.CheckAll(_world);
        await (runs ? _world.RunAsync(new KillDomain(World.Name)) : Task.CompletedTask);
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(new WaitForJobs(World.Name, null));
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        Inspection.CheckAll(_world);
        Assert.Equal(StorageType.Block, _world.Host.State.Images[World.DevicePath].Type);
    }

    [Fact]
    public async Task An_internal_snapshot_of_it_and_a_layer_that_is_a_device_are_refused()
    {
        await DefineAsync();
        var inside = new CreateSnapshot(World.Name) { Disks = [new DiskRequest("vdb", DiskMode.Internal)] };
        Assert.Contains("raw image cannot hold", (await FailAsync(inside)).Problem, StringComparison.Ordinal);
        var onto = new CreateSnapshot(World.Name) { Disks = [new DiskRequest("vdb", DiskMode.External, "/dev/vg/next")] };
        var error = await FailAsync(onto);
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Assert.Contains("'/dev/vg/next'", error.Subject, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Formats_and_drives_that_a_device_cannot_have_are_refused_by_name()
    {
        var disk = World.Device().Disks[1];
        DiskDevice[] refused = [disk with { Format = ImageFormat.Qcow2 }, disk with { Kind = DiskKind.Cdrom, ReadOnly = true }];
        foreach (var wrong in refused)
        {
            var error = await FailAsync(new DefineDomain(World.Device() with { Disks = [World.Device().Disks[0], wrong] }));
            Assert.Equal(ErrorKind.InvalidInput, error.Kind);
            Assert.Contains(World.DevicePath, error.Problem, StringComparison.Ordinal);
            Assert.Contains("'vdb'", error.Subject, StringComparison.Ordinal);
        }

        Assert.False(_world.Exists);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Only_the_host_makes_it_larger_and_the_guest_and_the_next_layer_follow(bool runs)
    {
        await DefineAsync();
        await (runs ? _world.StartAsync() : Task.CompletedTask);
        var revision = _world.Catalog.Revision;
        var error = await FailAsync(Resize(s_larger));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains(World.DevicePath, error.Problem, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
        Assert.Equal(revision, _world.Catalog.Revision);

        SetSize(s_larger);
        var told = await _world.RunAsync(Resize(s_larger));
        Assert.Equal(runs, told.Plan.Switch is not null);
        Assert.Equal(s_larger, Head().VirtualSize);
        await _world.RunAsync(External("large"));
        Assert.Equal(s_larger, Head().VirtualSize);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_device_that_grew_under_its_layers_makes_no_difference_to_them()
    {
        await DefineAsync();
        await _world.RunAsync(External("small"));
        SetSize(s_larger);
        await _world.RunAsync(Resize(new ByteCount(2 << 20)));
        Assert.Equal(2 << 20, Head().VirtualSize.Bytes);
        await _world.RunAsync(Scenario.Revert("small"));
        Assert.Equal(s_size, Head().VirtualSize);
        Assert.Equal(s_size, LayerGraph.Of(_world.Catalog)[Head().Parent!.Value].VirtualSize);
    }

    [Fact]
    public async Task A_device_that_shrank_is_neither_started_on_nor_reverted_to()
    {
        await DefineAsync();
        await _world.RunAsync(External("one"));
        SetSize(new ByteCount(1 << 19));
        foreach (Request request in new Request[] { new StartDomain(World.Name, Paused: false), Scenario.Revert("one"), External("two") })
        {
            Assert.Equal(ErrorKind.Damaged, (await FailAsync(request)).Kind);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_domain_does_not_get_it_under_any_name_also_once_it_is_frozen(bool isFrozen)
    {
        await DefineAsync();
        if (isFrozen)
        {
            await _world.RunAsync(External("one"));
        }

        _world.Host.Link(World.DevicePath, "/dev/mapper/same");
        _world.AddImage("/images/thief-a.qcow2");
        var thief = World.Definition("thief", 2);
        var disk = thief.Disks[1] with { Source = "/dev/mapper/same", Type = StorageType.Block };
        var error = await FailAsync(new DefineDomain(thief with { Disks = [thief.Disks[0], disk] }));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        Assert.Contains("'web'", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_device_that_the_host_has_mounted_is_neither_defined_nor_started_nor_snapshotted()
    {
        SetMounted(true);
        Assert.Equal(ErrorKind.WrongState, (await FailAsync(new DefineDomain(World.Device()))).Kind);
        SetMounted(false);
        await DefineAsync();
        SetMounted(true);
        Assert.Equal(ErrorKind.WrongState, (await FailAsync(new StartDomain(World.Name, Paused: false))).Kind);
        Assert.Equal(ErrorKind.WrongState, (await FailAsync(External("one"))).Kind);
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false));
    }

    [Fact]
    public async Task Memory_is_not_loaded_over_a_device_that_took_no_part_unless_that_is_forced()
    {
        await DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "without", Disks = [new DiskRequest("vdb", DiskMode.None)] });
        await _world.RunAsync(new KillDomain(World.Name));

        // Nobody has written to it; only, that cannot be told.
        var error = await FailAsync(Scenario.Revert("without"));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("disk vdb, which may have changed", error.Problem, StringComparison.Ordinal);
        Assert.Contains("--force", error.NextStep, StringComparison.Ordinal);
        await _world.RunAsync(Scenario.Revert("without") with { Force = true });
    }

    [Fact]
    public async Task Memory_is_loaded_over_a_file_that_took_no_part_and_was_not_written()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "without", Disks = [new DiskRequest("vdb", DiskMode.None)] });
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(Scenario.Revert("without"));
    }

    [Fact]
    public async Task Nothing_changes_if_the_same_device_is_defined_again_and_another_type_is_another_disk()
    {
        await DefineAsync();
        await _world.RunAsync(External("one"));
        var head = Head();
        await _world.RunAsync(new DefineDomain(World.Device() with { Memory = new ByteCount(2 << 20) }));
        Assert.Equal(head, Head());
        var file = World.Device().Disks[1] with { Type = StorageType.File };
        Assert.False(World.Device().HasSameDisk(World.Device() with { Disks = [file] }, "vdb"));
    }

    private static ResizeDisk Resize(ByteCount size) => new(World.Name, "vdb", size);

    private static CreateSnapshot External(string name) => new(World.Name) { Name = name, Disks = [.. Scenario.External("vda", "vdb")] };

    private Task<OperationResult> DefineAsync() => _world.RunAsync(new DefineDomain(World.Device()));

    private Task<CoppiceException> FailAsync(Request request) => HomeTests.FailAsync(() => _world.RunAsync(request));

    private Layer Head() => LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks.Single(d => d.Target == "vdb").Layer];

    private void SetSize(ByteCount size) =>
        _world.Host.State = _world.Host.State.With(World.DevicePath, i => i with { VirtualSize = size });

    private void SetMounted(bool isMounted) =>
        _world.Host.State = _world.Host.State.With(World.DevicePath, i => i with { IsMounted = isMounted });
}
