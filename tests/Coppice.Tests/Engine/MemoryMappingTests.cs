using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>Memory that was kept as a stream is mapped afterwards, and an image that is mapped is shared by forks.</summary>
public sealed class MemoryMappingTests : IDisposable
{
    private const string Name = World.Name, Copy = "copy";
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_stream_becomes_an_image_on_the_volume_while_the_guest_runs_on()
    {
        await StreamAsync();
        _world.AddVolume();
        var (stream, guest) = (Memory("one"), Assert.Single(_world.Host.State.Processes));
        var then = _world.Host.State.Memories[stream.File!].Counter;
        var mapped = await _world.RunAsync(Map());
        Assert.Null(mapped.Pause);
        Assert.Equal(default, mapped.Plan.ExpectedPause);
        Assert.Equal(guest, Assert.Single(_world.Host.State.Processes));

        var image = Memory("one");
        Assert.Equal((MemoryFormat.Mapped, _world.Domain.VolumeFolder), (image.Format, Path.GetDirectoryName(image.File)));
        Assert.False(_world.Host.State.Memories.ContainsKey(stream.File!));
        Assert.Equal(then, _world.Host.State.Memories[image.File!].Counter);
        Inspection.CheckAll(_world);
        Assert.Equal("its memory is mapped already", (await _world.RunAsync(Map())).Plan.Mechanism);
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Equal(then, _world.Host.State.Processes[_world.Catalog.Head.Process!.Value].Counter);
        _world.Host.Tick();
    }

    [Fact]
    public async Task A_fork_keeps_the_stream_that_it_shares()
    {
        await StreamAsync();
        await _world.RunAsync(new ForkSnapshot(Name, "one", Copy));
        _world.AddVolume();
        await _world.RunAsync(Map());
        await _world.RunAsync(new StartDomain(Copy, Paused: false));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_cannot_be_mapped_is_refused_by_name_and_nothing_is_done()
    {
        await StreamAsync();
        await RefusedAsync(Map(), ErrorKind.WrongState, "no memory volume");
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "disks", Memory = new MemoryRequest(MemoryMode.None) });
        _world.AddVolume(isVolatile: true);
        await RefusedAsync(Map(), ErrorKind.WrongState, "on the volatile memory volume");
        _world.AddVolume(mebibytes: 34);
        await RefusedAsync(Map(), ErrorKind.Storage, "has no room");
        _world.AddVolume();
        await RefusedAsync(new MapSnapshot(Name, "disks"), ErrorKind.WrongState, "has no memory");
    }

    [Fact]
    public async Task Forks_share_an_image_that_nobody_writes_and_their_checkpoints_are_streams_until_they_go_back()
    {
        await MappedAsync();
        var forked = await _world.RunAsync(Fork());
        Assert.Contains(forked.Warnings.Concat(forked.Plan.Warnings), w => w.Contains("its RAM is shared", StringComparison.Ordinal));
        var catalog = _world.Fork(Copy).Catalog;
        Assert.Equal(new RamPlace(catalog.Find("one").Memory.File!, IsClonable: false) { IsImage = true }, Ram(catalog));
        await _world.RunAsync(new CreateSnapshot(Copy) { Name = "own" });
        Assert.Equal(MemoryFormat.Stream, _world.Fork(Copy).Catalog.Find("own").Memory.Format);
        await _world.RunAsync(new RevertSnapshot(Copy, "one", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        Assert.True(Ram(_world.Fork(Copy).Catalog)!.IsClonable);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_fork_whose_RAM_is_a_shared_image_is_not_let_run_on_while_a_stream_of_it_is_written()
    {
        await MappedAsync();
        await _world.RunAsync(Fork());
        await RefusedAsync(new CreateSnapshot(Copy) { Name = "live", Live = true }, ErrorKind.InvalidInput, "RAM that is a file itself");
    }

    [Fact]
    public async Task A_stream_is_not_shared()
    {
        await StreamAsync();
        await RefusedAsync(Fork(), ErrorKind.WrongState, "is a stream");
        await _world.RunAsync(new KillDomain(Name));
        await RefusedAsync(new StartDomain(Name, Paused: false) { SharesMemory = true }, ErrorKind.WrongState, "it boots");
    }

    private async Task StreamAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
    }

    private async Task MappedAsync()
    {
        _world.AddVolume();
        await StreamAsync();
    }

    private async Task RefusedAsync(Request request, ErrorKind kind, string words)
    {
        var before = _world.Host.State;
        var refusal = await Assert.ThrowsAsync<CoppiceException>(() => _world.RunAsync(request));
        Assert.Equal(kind, refusal.Kind);
        Assert.Contains(words, refusal.Problem, StringComparison.Ordinal);
        Assert.Equal(before, _world.Host.State);
    }

    private MemoryImage Memory(string snapshot) => _world.Catalog.Find(snapshot).Memory;

    private RamPlace? Ram(Catalog catalog) => _world.Host.State.Processes[catalog.Head.Process!.Value].Ram;

    private static MapSnapshot Map() => new(Name, "one");

    private static ForkSnapshot Fork() => new(Name, "one", Copy) { State = ForkState.Running, SharesMemory = true };
}
