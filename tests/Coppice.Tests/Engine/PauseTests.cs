using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>How long a guest stood still, and that nobody lets one go on whom a user has paused.</summary>
public sealed class PauseTests : IDisposable
{
    private static readonly TimeSpan s_act = TimeSpan.FromSeconds(1);

    private readonly World _world = new();
    private readonly SteppingClock _clock = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_revert_tells_the_time_from_the_stop_of_one_process_to_the_start_of_the_next(bool wantsWhatTheOldOneHas)
    {
        await PrepareAsync(wantsWhatTheOldOneHas ? World.OnNetworks() : World.Definition());
        var acts = new List<string>();
        _world.Host.Acting = act =>
        {
            acts.Add(act);
            _clock.Now += s_act;
        };
        var result = await RunAsync(Scenario.Revert("one"));
        var between = acts[(acts.LastIndexOf("complete memory") + 1)..acts.IndexOf("take over")].ToArray();
        Assert.Equal(wantsWhatTheOldOneHas ? 1 : 0, between.Count(a => a.StartsWith("end", StringComparison.Ordinal)));

        // The fake says that its guest stood for two milliseconds when its step ended, and went on at once.
        Assert.Equal((between.Length * s_act) + TimeSpan.FromMilliseconds(2), result.Pause);
    }

    [Theory]
    [InlineData(RevertState.Paused, false)]
    [InlineData(RevertState.AsTaken, true)]
    public async Task A_guest_that_does_not_go_on_or_did_not_run_has_no_pause(RevertState state, bool pausedBefore)
    {
        await PrepareAsync();
        if (pausedBefore)
        {
            await RunAsync(new PauseDomain(World.Name));
        }

        var result = await RunAsync(Scenario.Revert("one") with { State = state });
        Assert.True(result.Executed);
        Assert.Null(result.Pause);
    }

    [Fact]
    public async Task A_start_has_no_pause()
    {
        await _world.DefineAsync();
        Assert.Null((await RunAsync(new StartDomain(World.Name, Paused: false))).Pause);
    }

    [Fact]
    public async Task An_undo_has_a_pause_and_one_that_a_crash_cut_in_two_has_none()
    {
        await PrepareAsync();
        await RunAsync(Scenario.Revert("one"));
        Assert.NotNull((await RunAsync(new UndoRevert(World.Name))).Pause);

        await AbandonAsync(Scenario.Revert("one"), e => e.Point is OperationPoint.Committed);
        var next = await RunAsync(new CreateSnapshot(World.Name) { Name = "next", DiskOnly = true });
        Assert.Equal(TimeSpan.FromMilliseconds(1), next.Pause);
    }

    [Fact]
    public async Task A_user_who_pauses_the_guest_after_a_crash_is_not_overruled_by_a_take_over_that_is_repeated()
    {
        await PrepareAsync();
        await AbandonAsync(Scenario.Revert("one"), e => e is { Point: OperationPoint.StepApplied, Step.Kind: "machine.take-over" });

        // The pause settles what the crash left before it does anything itself: that is why it stays.
        var pause = await RunAsync(new PauseDomain(World.Name));
        Assert.Contains("had been interrupted and was finished", Assert.Single(pause.Warnings), StringComparison.Ordinal);
        await RunAsync(new EditSnapshot(World.Name, "one", "uno", null));
        Assert.Equal(DomainState.Paused, Assert.Single(_world.Host.State.Processes).Value.State);
    }

    [Fact]
    public async Task A_user_who_pauses_the_guest_while_the_clean_up_keeps_failing_is_not_overruled_once_it_succeeds()
    {
        await PrepareAsync();
        var fails = true;
        var steps = new List<string>();
        Task<OperationResult> FailingAsync(Request request)
        {
            _world.Host.Acting = act =>
            {
                steps.Add(act);
                if (fails && act.StartsWith("end", StringComparison.Ordinal))
                {
                    throw new CoppiceException(ErrorKind.Hypervisor, act, "fails");
                }
            };
            return RunAsync(request);
        }

        Assert.NotEmpty((await FailingAsync(Scenario.Revert("one"))).Warnings);
        await FailingAsync(new PauseDomain(World.Name));
        fails = false;
        await FailingAsync(new EditSnapshot(World.Name, "one", "uno", null));
        Assert.Equal(DomainState.Paused, Assert.Single(_world.Host.State.Processes).Value.State);
        Assert.Single(steps, "go on");
    }

    private async Task PrepareAsync(DomainDefinition? definition = null)
    {
        await _world.DefineAsync();
        await (definition is null ? Task.CompletedTask : _world.RunAsync(new DefineDomain(definition)));
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
    }

    private Task<OperationResult> RunAsync(Request request, Action<OperationEvent>? onEvent = null) =>
        Home.Open(new HomeOptions
        {
            Path = _world.Path1,
            Hypervisor = new FakeHypervisor(_world.Host),
            Storage = new FakeStorage(_world.Host),
            Time = _clock,
        }).RunAsync(request, new RunOptions { OnEvent = onEvent });

    private async Task AbandonAsync(Request request, Func<OperationEvent, bool> at)
    {
        await Assert.ThrowsAsync<OperationCanceledException>(() => RunAsync(
            request, e => _ = at(e) ? throw new OperationCanceledException() : 0));
        _world.Host.ManagerDies();
    }

    /// <summary>A clock that moves only when it is told to.</summary>
    private sealed class SteppingClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
