using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Several forks of one snapshot start side by side (R228).</summary>
public sealed class ForkSeriesTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task One_that_cannot_be_started_is_told_by_name_and_the_others_run()
    {
        await SnapshotAsync();
        var launches = 0;
        _world.Host.Acting = what => _ = what == "launch" && ++launches == 2 ? throw new IOException("no") : 0;
        var outcomes = await ForkAsync("copy-1", "copy-2", "copy-3");
        Assert.Equal(["copy-1", "copy-2", "copy-3"], outcomes.Select(o => o.Request.Name));
        var failed = Assert.Single(outcomes, o => o.Error is not null);
        Assert.Contains($"the fork '{failed.Request.Name}' is there, and was not started", failed.Error!.Problem, StringComparison.Ordinal);
        Assert.NotNull(_world.Fork(failed.Request.Name).Catalog.Head.Saved);
        Assert.All(outcomes.Except([failed]), o => Assert.NotNull(_world.Fork(o.Request.Name).Catalog.Head.Process));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task One_that_cannot_be_made_is_the_last_that_is_tried_and_those_before_run()
    {
        await SnapshotAsync();
        var events = 0;
        var outcomes = await _world.Open().ForkAsync(
            [Fork("copy-1"), Fork("copy-2"), Fork("copy-1"), Fork("copy-4")], new RunOptions { OnEvent = _ => events++ });
        Assert.Equal([null, null, ErrorKind.AlreadyExists], outcomes.Select(o => o.Error?.Kind));
        Assert.Equal(["copy-1", "copy-2", "web"], _world.All.Select(d => d.Catalog.Name).Order(StringComparer.Ordinal));
        Assert.True(events > 0);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task As_many_are_under_way_at_a_time_as_there_are_processors_and_the_next_begins_as_one_ends()
    {
        using var series = new ForkSeries(TimeProvider.System);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var filled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (made, running, most, places) = (0, 0, 0, Environment.ProcessorCount);
        var all = series.RunAsync(Enumerable.Range(0, places + 2).Select(i => Fork($"copy-{i}")), async _ =>
        {
            Interlocked.Increment(ref made);
            using var turn = await series.TurnAsync();
            var now = Interlocked.Increment(ref running);
            InterlockedMost(ref most, now);
            if (now == places)
            {
                filled.TrySetResult();
            }

            await gate.Task;
            Interlocked.Decrement(ref running);
            throw new CoppiceException(ErrorKind.Cancelled, "it", "was cancelled");
        });
        await filled.Task;
        Assert.False(all.IsCompleted);
        gate.SetResult();
        var outcomes = await all;
        Assert.Equal((places + 2, places), (made, most));
        Assert.All(outcomes, o => Assert.Equal((ErrorKind.Cancelled, true), (o.Error?.Kind, o.IsMade)));
        Assert.Equal(places + 2, outcomes.Length);
    }

    [Fact]
    public async Task None_runs_before_all_of_its_group_stand_and_one_that_fails_is_not_waited_for()
    {
        await SnapshotAsync();
        var launches = 0;
        var acts = new List<string>();
        _world.Host.Acting = what =>
        {
            lock (acts)
            {
                acts.Add(what);
                _ = what == "launch" && ++launches == 2 ? throw new IOException("no") : 0;
            }
        };
        var outcomes = await ForkAsync("copy-1", "copy-2", "copy-3", "copy-4");
        Assert.Single(outcomes, o => o.Error is not null);
        Assert.Equal(["launch", "launch", "launch", "launch", "take over", "take over", "take over"], acts.Where(a => a is "launch" or "take over"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task More_than_a_group_are_made_group_by_group()
    {
        await SnapshotAsync();
        string[] names = [.. Enumerable.Range(0, (8 * Environment.ProcessorCount) + 2).Select(i => $"copy-{i}")];
        var outcomes = await ForkAsync(names);
        Assert.Equal(names, outcomes.Select(o => o.Request.Name));
        Assert.All(outcomes, o => Assert.Null(o.Error));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_cancel_while_several_start_leaves_each_that_was_made_and_tells_it()
    {
        await SnapshotAsync();
        using var cancel = new CancellationTokenSource();
        var launches = 0;
        _world.Host.Acting = what =>
        {
            if (what == "launch" && ++launches == 2)
            {
                cancel.Cancel();
            }
        };
        var outcomes = await _world.Open().ForkAsync([Fork("copy-1"), Fork("copy-2"), Fork("copy-3")], new RunOptions(), cancel.Token);
        Assert.Contains(outcomes, o => o.Error?.Kind is ErrorKind.Cancelled);
        var made = outcomes.Where(o => o.IsMade).Select(o => o.Request.Name).Append(World.Name);
        Assert.Equal(made.Order(StringComparer.Ordinal), _world.All.Select(d => d.Catalog.Name).Order(StringComparer.Ordinal));
        Inspection.CheckAll(_world);
    }

    private static void InterlockedMost(ref int most, int now)
    {
        for (var seen = most; seen < now; seen = most)
        {
            Interlocked.CompareExchange(ref most, now, seen);
        }
    }

    private static ForkSnapshot Fork(string name) => new(World.Name, "one", name) { State = ForkState.Running };

    private Task<System.Collections.Immutable.ImmutableArray<ForkOutcome>> ForkAsync(params string[] names) =>
        _world.Open().ForkAsync(names.Select(Fork), new RunOptions());

    private async Task SnapshotAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
    }
}
