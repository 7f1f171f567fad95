using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>
/// A memory volume never promises room twice, since a guest that finds none is killed. Guests have 1 MiB here, of which nothing is
/// their own yet; 32 MiB are the file system's, and a checkpoint needs up to 16.
/// </summary>
public sealed class MemoryRoomTests : IDisposable
{
    private const string Name = World.Name, Other = "shop";
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_start_that_does_not_fit_takes_a_stream_and_says_what_is_missing_and_what_to_do()
    {
        await StartAsync(mebibytes: 33);
        var started = await StartOtherAsync();
        var warning = Assert.Single(started.Plan.Warnings);
        Assert.Contains($"{FakeHost.FileSize} are missing", warning, StringComparison.Ordinal);
        Assert.Contains("prune, gc, stop other domains", warning, StringComparison.Ordinal);
        Assert.EndsWith("then start it anew", warning, StringComparison.Ordinal);
        Assert.Null(_world.Host.State.Processes[_world.Fork(Other).Catalog.Head.Process!.Value].Ram);
        await _world.RunAsync(new CreateSnapshot(Other) { Name = "one" });
        Assert.Equal(MemoryFormat.Stream, _world.Fork(Other).Catalog.Find("one").Memory.Format);
    }

    [Fact]
    public async Task A_fork_whose_start_does_not_fit_tells_so_too()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        _world.AddVolume(mebibytes: 33);
        var forked = await _world.RunAsync(Scenario.Fork("one") with { State = ForkState.Running });
        Assert.Contains("checkpoints will wait for RAM", Assert.Single(forked.Warnings), StringComparison.Ordinal);
        Assert.False(RamOf(_world.Fork("copy").Catalog).IsClonable);
    }

    [Theory]
    [InlineData("start")]
    [InlineData("checkpoint")]
    [InlineData("revert")]
    public async Task Room_that_another_command_took_since_the_plan_is_not_promised_twice(string what)
    {
        await StartAsync(mebibytes: 100);
        if (what is not "checkpoint")
        {
            await _world.SnapshotAsync("one");
            await (what is "start" ? _world.RunAsync(new KillDomain(Name)) : Task.CompletedTask);
        }

        Request request = what switch
        {
            "start" => new StartDomain(Name, Paused: false),
            "checkpoint" => new CreateSnapshot(Name) { Name = "new" },
            _ => Scenario.Revert("one"),
        };
        var before = Outcome.Of(_world);
        var error = await HomeTests.FailAsync(() => _world.Open().RunAsync(request, new RunOptions { OnEvent = TakeAll }));
        Assert.Equal(ErrorKind.Storage, error.Kind);
        Assert.Contains("another command was first", error.Message, StringComparison.Ordinal);
        _world.Host.State = _world.Host.State with { Claims = _world.Host.State.Claims.Clear() };
        Assert.Equal(before.Tree, Outcome.Of(_world).Tree);
        Inspection.CheckAll(_world);
        await _world.RunAsync(request);

        void TakeAll(OperationEvent passed)
        {
            if (passed.Point is OperationPoint.Planned)
            {
                var others = new RoomClaim("/home/volume/other.ram", new ByteCount(100 << 20), IsClone: false, null);
                _world.Host.State = _world.Host.State with { Claims = _world.Host.State.Claims.Add(others.Ram, others) };
            }
        }
    }

    [Fact]
    public async Task RAM_that_is_no_whole_number_of_pages_is_not_mapped()
    {
        _world.AddVolume();
        await _world.RunAsync(new DefineDomain(World.Definition() with { Memory = new ByteCount((1 << 20) + 1024) }));
        var started = await _world.RunAsync(new StartDomain(Name, Paused: false));
        Assert.Contains("no whole number of pages of 4096 bytes; give it a whole number of MiB", Assert.Single(started.Plan.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_home_without_a_volume_warns_of_nothing()
    {
        await _world.DefineAsync();
        Assert.Empty((await _world.RunAsync(new StartDomain(Name, Paused: false))).Plan.Warnings);
    }

    [Fact]
    public async Task A_checkpoint_that_would_promise_room_twice_is_refused_by_name_and_touches_nothing()
    {
        await StartAsync(mebibytes: 48);
        (DomainRequest Request, string WayOut)[] refused =
        [
            (new CreateSnapshot(Name) { Name = "one" }, "--memory external:FILE"), (new SaveDomain(Name), $"or stop it: coppice stop {Name}"),
        ];
        foreach (var (request, wayOut) in refused)
        {
            var before = (_world.Host.State, DiskImage.Read(_world.Path1).Text);
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal((ErrorKind.Storage, $"memory volume {_world.Folder.Volume}"), (error.Kind, error.Subject));
            Assert.StartsWith($"{FakeHost.FileSize} would be missing", error.Problem, StringComparison.Ordinal);
            Assert.EndsWith(wayOut, error.NextStep, StringComparison.Ordinal);
            Assert.Equal(before, (_world.Host.State, DiskImage.Read(_world.Path1).Text));
        }

        // That way out is one.
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "one", Memory = new MemoryRequest(MemoryMode.External, $"{_world.Path1}/one.mem") });
        Assert.Equal(MemoryFormat.Stream, _world.Catalog.Find("one").Memory.Format);
    }

    [Fact]
    public async Task A_revert_whose_tip_would_promise_room_twice_is_refused_and_one_that_keeps_nothing_is_not()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        _world.AddVolume(mebibytes: 33);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Revert("one")));
        Assert.Equal(ErrorKind.Storage, error.Kind);
        Assert.EndsWith("or keep nothing of what is left", error.NextStep, StringComparison.Ordinal);
        Assert.Empty(_world.Catalog.Tips);

        // The process that is replaced was promised as much as its successor needs.
        var reverted = await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        Assert.Empty(reverted.Plan.Warnings);
        Assert.True(RamOf(_world.Catalog).IsClonable);
    }

    [Fact]
    public async Task What_a_process_was_promised_that_has_died_is_its_successors()
    {
        await StartAsync(mebibytes: 33);
        var process = _world.Catalog.Head.Process!.Value;
        _world.Host.State = _world.Host.State.Without(process);
        _world.Host.LeftRams.Add(_world.Domain.Ram(process));
        Assert.Equal(FakeHost.FileSize, (await _world.Open().ShowVolumeAsync())!.Promised());
        Assert.Equal(new MemoryWay(MemoryFormat.Mapped), (await _world.Open().ShowMemoryAsync(Name)).AfterStart);
        Assert.Empty((await _world.RunAsync(new StartDomain(Name, Paused: false))).Plan.Warnings);
        Assert.True(RamOf(_world.Catalog).IsClonable);
    }

    [Fact]
    public async Task A_mapped_image_that_finds_no_room_begins_in_RAM_that_is_nobody_elses()
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        _world.AddVolume(mebibytes: 32);
        var reverted = await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        Assert.Contains("checkpoints will wait for RAM", Assert.Single(reverted.Plan.Warnings), StringComparison.Ordinal);
        Assert.Equal(new RamPlace(_world.Domain.PrivateRam(_world.Catalog.Head.Process!.Value), IsClonable: false), RamOf(_world.Catalog));
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }

    /// <summary>A mapped image that came from elsewhere is no clone on the volume but a copy, which takes all of its room.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task A_copy_of_a_mapped_image_is_not_put_where_guests_were_promised_the_room(bool branches)
    {
        await StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(ExportTests.Export(_world));
        await _world.RunAsync(ExportTests.Import(_world));
        _world.AddVolume(mebibytes: 32);
        var before = _world.Host.State;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(branches
            ? new CreateSnapshot("copy") { Name = "two", Branch = new BranchRequest("one", IsCurrent: false), Memory = new MemoryRequest(MemoryMode.External) }
            : new ForkSnapshot("copy", "one", "fork")));
        Assert.Equal((ErrorKind.Storage, $"memory volume {_world.Folder.Volume}"), (error.Kind, error.Subject));
        Assert.Equal(before, _world.Host.State);
    }

    private async Task StartAsync(long mebibytes = 1 << 20)
    {
        _world.AddVolume(mebibytes: mebibytes);
        await _world.DefineAsync();
        await _world.StartAsync();
        Assert.True(RamOf(_world.Catalog).IsClonable);
    }

    private async Task<OperationResult> StartOtherAsync()
    {
        _world.AddImage($"/images/{Other}-a.qcow2");
        _world.AddImage($"/images/{Other}-b.raw");
        await _world.RunAsync(new DefineDomain(World.Definition(Other, 2)));
        return await _world.RunAsync(new StartDomain(Other, Paused: false));
    }

    private RamPlace RamOf(Catalog catalog) => _world.Host.State.Processes[catalog.Head.Process!.Value].Ram!;
}
