using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>A domain in figures.</summary>
public sealed class FigureTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_domain_that_is_off_has_figures_of_its_images_alone()
    {
        await _world.DefineAsync();
        var figures = await _world.Open().MeasureAsync(World.Name);
        Assert.Null(figures.Guest);
        Assert.Null(figures.View.Hypervisor.Pid);
        Assert.Equal(["vda", "vdb"], figures.Images.Select(i => i.Target));
        Assert.All(figures.Images, i => Assert.Equal(
            (new ByteCount(1 << 20), FakeHost.FileSize, FakeHost.FileSize), (i.Capacity, i.Allocation, i.Physical)));
    }

    [Fact]
    public async Task A_domain_that_runs_has_figures_of_its_guest_and_of_the_layers_that_it_writes()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var before = await _world.Open().MeasureAsync(World.Name);
        _world.Host.Tick();
        var after = await _world.Open().MeasureAsync(World.Name);
        Assert.True(after.Guest!.Processor.Total > before.Guest!.Processor.Total);
        Assert.Equal(["vda", "vdb"], after.Guest.Disks.Select(d => d.Target));
        Assert.NotNull(after.View.Hypervisor.Pid);
        Assert.Equal(_world.Catalog.Written.Select(l => l.Path).Order(), after.Images.Select(i => i.Path).Order());
    }

    [Fact]
    public async Task A_medium_has_a_size_an_empty_drive_has_none_and_a_device_takes_all_that_it_is()
    {
        var definition = World.Device() with
        {
            Disks = World.Device().Disks
                .Add(new DiskDevice { Target = "sda", Kind = DiskKind.Cdrom, ReadOnly = true, Source = "/images/more.qcow2", Format = ImageFormat.Qcow2 })
                .Add(new DiskDevice { Target = "sdb", Kind = DiskKind.Cdrom, ReadOnly = true }),
        };
        await _world.RunAsync(new DefineDomain(definition));
        var images = (await _world.Open().MeasureAsync(World.Name)).Images.ToDictionary(i => i.Target);
        Assert.Equal(["sda", "vda", "vdb"], images.Keys.Order());
        Assert.Equal(new ByteCount(1 << 20), images["sda"].Capacity);
        Assert.Equal(images["vdb"].Capacity, images["vdb"].Allocation);
        Assert.Equal(images["vdb"].Capacity, images["vdb"].Physical);
    }

    [Fact]
    public async Task A_picture_is_in_no_folder_any_more()
    {
        var definition = World.Definition() with { Devices = [.. World.Definition().Devices, new VideoDevice { Model = VideoModel.Vga }] };
        await _world.RunAsync(new DefineDomain(definition));
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.Open().TakePictureAsync(World.Name, 0))).Kind);
        await _world.StartAsync();
        await using (var picture = await _world.Open().TakePictureAsync(World.Name, 0))
        {
            var content = new byte[2];
            await picture.ReadExactlyAsync(content);
            Assert.Equal("P6"u8.ToArray(), content);
        }

        Assert.Empty(Directory.GetFiles(_world.Folder.Process(_world.Catalog.Head.Process!.Value)));
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => _world.Open().TakePictureAsync(World.Name, 1))).Kind);
        _world.Host.LosePower();
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.Open().TakePictureAsync(World.Name, 0))).Kind);
    }

    [Fact]
    public async Task A_domain_that_is_not_there_has_no_figures() =>
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => _world.Open().MeasureAsync("none"))).Kind);
}
