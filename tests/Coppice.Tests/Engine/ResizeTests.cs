using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Disks get larger between snapshots, by Coppice or by somebody else, and snapshots keep the size that they had.</summary>
public sealed class ResizeTests : IDisposable
{
    private static readonly ByteCount s_before = new(1 << 20), s_larger = new(4 << 20);

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_disk_grows_and_a_revert_goes_back_to_the_size_it_had(bool runs)
    {
        await _world.DefineAsync();
        await (runs ? _world.StartAsync() : Task.CompletedTask);
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "small", Disks = [.. Scenario.External("vda", "vdb")] });
        await _world.RunAsync(Resize("vda", s_larger));
        Assert.Equal(s_larger, Size("vda"));
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "large", Disks = [.. Scenario.External("vda", "vdb")] });
        Assert.Equal(s_larger, Size("vda"));

        await _world.RunAsync(Scenario.Revert("small"));
        Assert.Equal(s_before, Size("vda"));
        await _world.RunAsync(Scenario.Revert("large"));
        Assert.Equal(s_larger, Size("vda"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task An_image_that_somebody_else_made_larger_keeps_its_size_in_the_next_layer()
    {
        await _world.DefineAsync();
        var path = World.Definition().Disks[0].Source!;
        _world.Host.State = _world.Host.State.With(path, i => i with { VirtualSize = s_larger });
        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        Assert.Equal(s_larger, Size("vda"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_somebody_else_made_larger_is_taken_down_and_a_layer_smaller_than_what_it_builds_on_does_not_grow()
    {
        await _world.DefineAsync();
        var path = World.Definition().Disks[0].Source!;
        _world.Host.State = _world.Host.State.With(path, i => i with { VirtualSize = s_larger });
        await _world.RunAsync(Resize("vda", s_larger));
        Assert.Equal(s_larger, Size("vda"));

        await _world.RunAsync(new CreateSnapshot(World.Name) { Disks = [.. Scenario.External("vda", "vdb")] });
        var layer = LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer];
        _world.Host.State = _world.Host.State.With(layer.Path, i => i with { VirtualSize = s_before });
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Resize("vda", new ByteCount(8 << 20))));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains(path, error.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vda", 1 << 19, ErrorKind.WouldLose)]
    [InlineData("vda", (1 << 20) + 1, ErrorKind.InvalidInput)]
    [InlineData("vdz", 4 << 20, ErrorKind.NotFound)]
    public async Task What_would_lose_data_or_is_no_size_or_no_disk_is_refused(string disk, long size, ErrorKind kind)
    {
        await _world.DefineAsync();
        Assert.Equal(kind, (await HomeTests.FailAsync(() => _world.RunAsync(Resize(disk, new ByteCount(size))))).Kind);
        Assert.Equal(s_before, Size("vda"));
    }

    [Fact]
    public async Task A_disk_of_that_size_is_left_alone_and_a_saved_domain_keeps_its_disks()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var revision = _world.Catalog.Revision;
        var result = await _world.RunAsync(Resize("vda", s_before));
        Assert.Empty(result.Steps);
        Assert.Equal(revision, _world.Catalog.Revision);
        await _world.RunAsync(new SaveDomain(World.Name));
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(Resize("vda", s_larger)))).Kind);
    }

    private static ResizeDisk Resize(string disk, ByteCount size) => new(World.Name, disk, size);

    /// <summary>The size that the catalog knows, which must be the image's.</summary>
    private ByteCount Size(string disk)
    {
        var layer = LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks.Single(d => d.Target == disk).Layer];
        Assert.Equal(_world.Host.State.Images[layer.Path].VirtualSize, layer.VirtualSize);
        return layer.VirtualSize;
    }
}
