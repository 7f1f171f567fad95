using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>What <c>--plan</c> needs, touches and says.</summary>
public sealed class PlanOnlyTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Only_a_plan_touches_nothing()
    {
        var plan = await _world.Open().RunAsync(new DefineDomain(World.Definition()), new RunOptions { PlanOnly = true });
        Assert.False(plan.Executed);
        Assert.False(Directory.Exists(_world.Path1));

        await _world.DefineAsync();
        await _world.StartAsync();
        var (disk, host) = (DiskImage.Read(_world.Path1).Text, _world.Host.State);
        foreach (var request in new Request[] { new CreateSnapshot(World.Name), new KillDomain(World.Name), new StopDomain(World.Name, TimeSpan.Zero) })
        {
            Assert.False((await _world.Open().RunAsync(request, new RunOptions { PlanOnly = true })).Executed);
        }

        Assert.Equal(disk, DiskImage.Read(_world.Path1).Text);
        Assert.Equal(host, _world.Host.State);
    }

    [Fact]
    public async Task Only_a_plan_leaves_tips_marks_and_branches_alone_too()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(Scenario.Revert("one"));
        await _world.RunAsync(new PauseDomain(World.Name));
        await _world.SnapshotAsync("two");
        Assert.NotNull(_world.Catalog.Head.SameAs);
        var (disk, host) = (DiskImage.Read(_world.Path1).Text, _world.Host.State);
        var all = new TipRetention(0, null);
        foreach (var request in new Request[]
        {
            new ResumeDomain(World.Name), new DropTips(World.Name) { AllBut = all }, new KeepTips(World.Name, all),
            new RevertToTip(World.Name, _world.Catalog.Tips[0].Id.Value, Force: false), Scenario.Checkpointed("one"),
            Scenario.Branch("one"), Scenario.Revert("one") with { DiscardDescendants = true },
        })
        {
            Assert.False((await _world.Open().RunAsync(request, new RunOptions { PlanOnly = true })).Executed);
        }

        Assert.Equal(disk, DiskImage.Read(_world.Path1).Text);
        Assert.Equal(host, _world.Host.State);
    }

    [Fact]
    public async Task A_plan_needs_no_lock_when_there_is_nothing_to_settle()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        using var held = FileLock.TryAcquire(_world.Domain.Lock);
        using var home = FileLock.TryAcquire(_world.Folder.Lock);
        Assert.NotNull(held);
        Assert.NotNull(home);
        foreach (var request in new Request[] { new CreateSnapshot(World.Name), new KillDomain(World.Name) })
        {
            var options = new RunOptions { PlanOnly = true, LockWait = TimeSpan.Zero };
            Assert.False((await _world.Open().RunAsync(request, options)).Executed);
        }
    }

    [Fact]
    public async Task A_plan_waits_for_an_operation_that_runs_and_names_it()
    {
        await _world.DefineAsync();
        CoppiceException? busy = null;
        await _world.Open().RunAsync(
            new StartDomain(World.Name, Paused: false),
            new RunOptions
            {
                OnEvent = e => busy ??= HomeTests.FailAsync(() => _world.Open().RunAsync(
                    new KillDomain(World.Name), new RunOptions { PlanOnly = true, LockWait = TimeSpan.Zero })).GetAwaiter().GetResult(),
            });
        Assert.Equal(ErrorKind.Busy, busy!.Kind);
        Assert.Contains("'start'", busy.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_tells_what_is_cleaned_up_first()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Acting = what => _ = what.StartsWith("remove", StringComparison.Ordinal)
            ? throw new CoppiceException(ErrorKind.Storage, what, "is not allowed today")
            : true;
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        _world.Host.Acting = null;
        var planned = await _world.Open().RunAsync(new KillDomain(World.Name), new RunOptions { PlanOnly = true });
        Assert.Contains("'snapshot delete'", Assert.Single(planned.Plan.Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_never_takes_an_operation_that_runs_for_one_that_was_interrupted()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "s", Disks = [.. Scenario.External("vda", "vdb")] });
        using var done = new CancellationTokenSource();
        var planner = Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                await _world.Open().RunAsync(new StartDomain(World.Name, Paused: false), new RunOptions { PlanOnly = true });
            }
        });
        for (var i = 0; i < 100 && !planner.IsCompleted; i++)
        {
            await _world.RunAsync(new EditSnapshot(World.Name, "s", null, $"{i}"));
        }

        await done.CancelAsync();
        await planner;
    }

    [Fact]
    public async Task A_plan_is_refused_while_a_guest_has_yet_to_go_on_and_no_advice_lets_one_go_on()
    {
        await _world.DefineAsync();
        await Assert.ThrowsAsync<TimeoutException>(() => _world.Open().RunAsync(
            new StartDomain(World.Name, Paused: false),
            new RunOptions { OnEvent = e => { if (e.Point is OperationPoint.Committed) { throw new TimeoutException(); } } }));
        var plan = new RunOptions { PlanOnly = true };
        var refused = await HomeTests.FailAsync(() => _world.Open().RunAsync(new PauseDomain(World.Name), plan));
        Assert.Equal(ErrorKind.WrongState, refused.Kind);
        Assert.Contains("'start'", refused.Problem, StringComparison.Ordinal);
        Assert.Contains("takes over", refused.Problem, StringComparison.Ordinal);
        Assert.Equal("run the command without --plan: it settles that first", refused.NextStep);

        await _world.RunAsync(new PauseDomain(World.Name));
        Assert.Equal("nothing to do", (await _world.Open().RunAsync(new PauseDomain(World.Name), plan)).Plan.Mechanism);
    }

    [Fact]
    public async Task A_plan_says_of_an_operation_that_was_rolled_forward_that_it_did_not_come_about()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.Acting = what =>
        {
            if (what is "complete memory")
            {
                throw new CoppiceException(ErrorKind.Hypervisor, what, "fails");
            }
        };
        await Assert.ThrowsAsync<TimeoutException>(() => _world.Open().RunAsync(
            new CreateSnapshot(World.Name),
            new RunOptions { OnEvent = e => { if (e.Point is OperationPoint.Committed) { throw new TimeoutException(); } } }));
        Assert.Equal(OperationEnd.RolledForward, _world.Catalog.Last.End);
        var planned = await _world.Open().RunAsync(new KillDomain(World.Name), new RunOptions { PlanOnly = true });
        Assert.Contains("'snapshot create'", Assert.Single(planned.Plan.Warnings), StringComparison.Ordinal);
        Assert.Contains("did not come about", planned.Plan.Warnings[0], StringComparison.Ordinal);
    }
}
