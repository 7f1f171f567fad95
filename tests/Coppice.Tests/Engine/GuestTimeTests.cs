using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>The clock of a guest that goes on from stored memory.</summary>
public sealed class GuestTimeTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    private long? SetAt => Assert.Single(_world.Host.State.Processes).Value.ClockSetAt;

    [Fact]
    public async Task It_is_set_after_a_revert_an_undo_and_the_start_of_a_saved_domain_if_that_is_asked_for()
    {
        await PrepareAsync();
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Null(SetAt);
        Assert.Empty((await _world.RunAsync(Revert())).Warnings);
        Assert.NotNull(SetAt);
        await _world.RunAsync(new UndoRevert(World.Name) { SyncTime = true });
        Assert.NotNull(SetAt);
        await _world.RunAsync(new SaveDomain(World.Name));
        await _world.RunAsync(new StartDomain(World.Name, Paused: false) { SyncTime = true });
        Assert.NotNull(SetAt);
    }

    [Fact]
    public async Task A_guest_that_boots_or_is_off_reads_its_clock_itself()
    {
        await _world.RunAsync(new DefineDomain(World.Definition()));
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "one", Disks = [.. Scenario.External("vda", "vdb")] });
        await _world.RunAsync(new StartDomain(World.Name, Paused: true) { SyncTime = true });
        Assert.Null(SetAt);
        await _world.RunAsync(Revert() with { State = RevertState.Running });
        Assert.Null(SetAt);
        await _world.RunAsync(Revert());
        Assert.Empty(_world.Host.State.Processes);
    }

    [Fact]
    public async Task A_guest_that_would_stand_still_afterwards_is_refused_before_anything_is_touched()
    {
        await PrepareAsync();
        var before = _world.Host.State;
        Assert.Equal("leave --sync-time out, or use --running", await WayOutAsync(Revert() with { State = RevertState.Paused }));
        Assert.Equal(before, _world.Host.State);

        await _world.RunAsync(new SaveDomain(World.Name));
        Assert.Equal(
            "leave --sync-time out, or leave --paused out",
            await WayOutAsync(new StartDomain(World.Name, Paused: true) { SyncTime = true }));
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Equal("leave --sync-time out", await WayOutAsync(new UndoRevert(World.Name) { SyncTime = true }));
    }

    [Fact]
    public async Task A_domain_without_the_agents_channel_is_refused_before_anything_is_touched()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        var before = _world.Host.State;
        Assert.Equal(ErrorKind.MissingCapability, await RefusedAsync(Revert()));
        Assert.Equal(before, _world.Host.State);
    }

    [Fact]
    public async Task Without_an_agent_the_revert_stands_a_warning_tells_and_nobody_tries_again()
    {
        await PrepareAsync();
        _world.Host.GuestsHaveAgents = false;
        var result = await _world.RunAsync(Revert());
        Assert.Contains("was not set", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
        await _world.SettleAsync();
        Assert.Null(SetAt);
        Inspection.CheckAll(_world);
    }

    /// <summary>Whoever finishes a revert sets the time of that moment, not the one that was planned.</summary>
    [Fact]
    public async Task A_revert_that_was_killed_anywhere_ends_with_the_clock_set_by_whoever_finishes_it()
    {
        await PrepareAsync();
        var states = await CrashPoints.CollectAsync(_world, 0, e => CrashTests.RunAsync(_world, Revert(), e));
        var finished = 0;
        foreach (var state in states)
        {
            CrashTests.Restore(_world, state, power: false, state.Disk);
            var wasSet = _world.Host.State.Processes.Values.Any(p => p.ClockSetAt is not null);
            for (var i = 0; i < 10; i++)
            {
                _world.Host.Tick();
            }

            var now = _world.Host.Now;
            await _world.SettleAsync();
            var isSet = _world.Host.State.Processes.Values.Single().ClockSetAt is { } at && (wasSet || at >= now);
            Assert.Equal(_world.Catalog.Current == _world.Catalog.Find("one").Id && _world.Catalog.Tips.Length == 1, isSet);
            finished += isSet && !wasSet ? 1 : 0;
        }

        Assert.True(finished > 3, $"{finished} of {states.Count} were finished by the next command");
    }

    private static RevertSnapshot Revert() => Scenario.Revert("one") with { SyncTime = true };

    private async Task PrepareAsync()
    {
        await _world.RunAsync(new DefineDomain(World.Agent()));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
    }

    private async Task<string> WayOutAsync(Request request)
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        return error.NextStep;
    }

    private async Task<ErrorKind> RefusedAsync(Request request) => (await HomeTests.FailAsync(() => _world.RunAsync(request))).Kind;
}
