using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Snapshots of disks while the file systems in the guest are frozen, and what a snapshot says of its consistency (R91).</summary>
public sealed class QuiesceTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_snapshot_is_exact_with_memory_or_of_a_guest_that_is_off_quiesced_if_frozen_and_crash_consistent_otherwise()
    {
        await _world.RunAsync(new DefineDomain(World.Agent()));
        await _world.SnapshotExternalAsync("off");
        await _world.StartAsync();
        await _world.SnapshotAsync("whole");
        var quiesced = Scenario.Quiesced("quiesced");
        var (frozen, plain) = (await PlanAsync(quiesced), await PlanAsync(quiesced with { Quiesce = false }));
        await _world.RunAsync(quiesced);
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "plain", DiskOnly = true });
        await _world.RunAsync(new PauseDomain(World.Name));
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "paused", DiskOnly = true });
        Assert.Equal(
            [
                ("off", Consistency.Exact), ("paused", Consistency.Crash), ("plain", Consistency.Crash),
                ("quiesced", Consistency.FileSystems), ("whole", Consistency.Exact),
            ],
            _world.Catalog.Snapshots.Values.Select(s => (s.Name, s.Consistency)).Order());
        Assert.Empty(frozen.Warnings);
        Assert.Contains("file systems frozen", frozen.Mechanism, StringComparison.Ordinal);
        Assert.Contains("crash-consistent", Assert.Single(plain.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_guest_is_frozen_before_it_stands_still_and_thawed_once_it_goes_on_and_no_longer()
    {
        await StartAsync();
        List<string> acts = [];
        _world.Host.Acting = what => acts.Add($"{what}{(_world.Host.State.Processes.Values.Single().IsFrozen ? " frozen" : "")}");
        await _world.RunAsync(Scenario.Quiesced("one"));
        var around = acts.FindIndex(a => a == "freeze");
        Assert.Equal(["freeze", "stop frozen", "move disks frozen", "continue frozen", "thaw frozen"], acts[around..(around + 5)]);
        Assert.DoesNotContain(acts[..around].Concat(acts[(around + 5)..]), a => a.EndsWith("frozen", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_an_agent_the_snapshot_fails_and_all_is_as_it_was()
    {
        await StartAsync();
        _world.Host.GuestsHaveAgents = false;
        var before = _world.Catalog;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Quiesced("one")));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Equal(Inspection.Tree(before), Inspection.Tree(_world.Catalog));
        Assert.Equal(DomainState.Running, Inspection.StateOf(_world));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_domain_without_the_agents_channel_is_refused_before_anything_is_touched()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        var before = _world.Host.State;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Quiesced("one")));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains(GuestAgentChannel.Name, error.NextStep, StringComparison.Ordinal);
        Assert.Equal(before, _world.Host.State);
    }

    [Fact]
    public async Task A_guest_that_thawed_too_early_is_in_no_snapshot_and_keeps_the_layers_it_has_moved_to()
    {
        await StartAsync();
        _world.Host.Acting = what =>
        {
            if (what == "move disks")
            {
                var (id, process) = _world.Host.State.Processes.Single();
                _world.Host.State = _world.Host.State with { Processes = _world.Host.State.Processes.SetItem(id, process with { IsFrozen = false }) };
            }
        };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Quiesced("one")));
        Assert.Contains("moved to new layers", error.Message, StringComparison.Ordinal);
        _world.Host.Acting = null;
        Assert.Empty(_world.Catalog.Snapshots);
        _world.Host.Tick();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task That_a_snapshot_was_quiesced_is_kept_when_it_is_forgotten_and_put_back_and_no_document_changes_it()
    {
        await StartAsync();
        await _world.RunAsync(Scenario.Quiesced("one"));
        await _world.DumpAsync("one", d => d with { Description = "moved" });
        await _world.RunAsync(new RedefineSnapshot(World.Name, _world.Dumped!, IsCurrent: false));
        var lie = _world.Dumped! with { Content = _world.Dumped.Content! with { IsQuiesced = false } };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new RedefineSnapshot(World.Name, lie, IsCurrent: false)));
        Assert.Contains("<cookie>", error.Problem, StringComparison.Ordinal);

        await _world.ForgetAsync("one");
        await _world.RunAsync(new RedefineSnapshot(World.Name, _world.Dumped!, IsCurrent: false));
        Assert.Equal(Consistency.FileSystems, _world.Catalog.Find("one").Consistency);
    }

    private async Task<Plan> PlanAsync(Request request) =>
        (await _world.Open().RunAsync(request, new RunOptions { PlanOnly = true })).Plan;

    private async Task StartAsync()
    {
        await _world.RunAsync(new DefineDomain(World.Agent()));
        await _world.StartAsync();
    }
}
