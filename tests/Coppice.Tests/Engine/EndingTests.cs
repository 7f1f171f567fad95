using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Guests that are stopped, killed, or end by themselves.</summary>
public sealed class EndingTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_kill_gets_through_while_nothing_can_be_taken_back()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var states = await CrashPoints.CollectAsync(_world, 0, e => _world.Open().RunAsync(
            new CreateSnapshot(World.Name), new RunOptions { OnEvent = e }));
        var inside = states.First(s => s.Label == "complete memory");
        inside.Disk.WriteTo(_world.Path1);
        _world.Host.State = inside.Host;
        _world.Host.Acting = what =>
        {
            if (what == "continue" && !_world.Host.State.Processes.IsEmpty)
            {
                throw new CoppiceException(ErrorKind.Hypervisor, "the process", "does not answer");
            }
        };
        await OnlyAKillGetsThroughAsync();
    }

    [Fact]
    public async Task A_kill_says_so_when_it_ended_the_process_and_could_settle_nothing()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => _world.Open().RunAsync(
            new CreateSnapshot(World.Name),
            new RunOptions { OnEvent = e => { if (e.Point is OperationPoint.Committing) { throw new TimeoutException(); } } }));
        var journal = Assert.Single(Directory.GetFiles(_world.Domain.Journals));
        await File.WriteAllTextAsync(journal, "broken\n" + await File.ReadAllTextAsync(journal));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new KillDomain(World.Name)));
        Assert.Equal(ErrorKind.Damaged, error.Kind);
        Assert.Contains("its process was ended all the same", error.Problem, StringComparison.Ordinal);
        Assert.Empty(_world.Host.State.Processes);
    }

    [Fact]
    public async Task A_guest_that_died_by_itself_is_off_and_starts_again()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.LosePower();
        Assert.Equal(DomainState.Off, (await _world.Open().ShowAsync(World.Name)).Hypervisor.State);
        await _world.StartAsync();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_guest_that_ignores_its_power_button_goes_on_and_the_error_says_what_to_do()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.GuestsObey = false;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new StopDomain(World.Name, TimeSpan.FromMilliseconds(50))));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("coppice kill web", error.NextStep, StringComparison.Ordinal);
        await _world.RunAsync(new KillDomain(World.Name));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_process_that_does_not_answer_can_be_killed_and_nothing_else()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.ProcessesAnswer = false;
        await OnlyAKillGetsThroughAsync();
    }

    private async Task OnlyAKillGetsThroughAsync()
    {
        Assert.Equal(ErrorKind.Hypervisor, (await HomeTests.FailAsync(() => _world.RunAsync(new PauseDomain(World.Name)))).Kind);
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.Equal(DomainState.Off, Inspection.StateOf(_world));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_power_button_that_is_pressed_without_waiting_leaves_the_rest_to_the_guest()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.GuestsObey = false;
        var pressed = await _world.RunAsync(new StopDomain(World.Name, Limit: null));
        Assert.Equal(["machine.signal"], pressed.Plan.Steps.Select(s => s.Kind));
        Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
        _world.Host.GuestsObey = true;
        await _world.RunAsync(new StopDomain(World.Name, Limit: null));
        Assert.Equal(DomainState.Off, Inspection.StateOf(_world));
        await _world.StartAsync();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Saved_memory_that_is_discarded_is_gone_and_the_domain_boots()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(new DiscardSavedMemory(World.Name)))).Kind);
        await _world.RunAsync(new SaveDomain(World.Name));
        var file = _world.Catalog.Head.Saved!.Image.File!;
        Assert.True(_world.Host.State.Memories.ContainsKey(file));
        await _world.RunAsync(new DiscardSavedMemory(World.Name));
        Assert.Null(_world.Catalog.Head.Saved);
        Assert.False(_world.Host.State.Memories.ContainsKey(file));
        Assert.Equal(DomainState.Off, Inspection.StateOf(_world));
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(new DiscardSavedMemory(World.Name)))).Kind);
        Assert.Equal("boot", (await _world.RunAsync(new StartDomain(World.Name, Paused: false))).Plan.Mechanism);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Saved_memory_that_a_snapshot_has_too_stays_when_the_domain_gives_it_up()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(new SaveDomain(World.Name));
        await _world.SnapshotAsync("saved");
        var file = _world.Catalog.Head.Saved!.Image.File!;
        await _world.RunAsync(new DiscardSavedMemory(World.Name));
        Assert.True(_world.Host.State.Memories.ContainsKey(file));
        Assert.Null(_world.Catalog.Head.SameAs);
        await _world.RunAsync(Scenario.Revert("saved"));
        Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
        Inspection.CheckAll(_world);
    }
}
