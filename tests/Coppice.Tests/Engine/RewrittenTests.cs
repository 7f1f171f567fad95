using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Whoever forces what builds on images that somebody wrote to is told of all of them.</summary>
public sealed class RewrittenTests : IDisposable
{
    private const string First = "/images/web-a.qcow2", Second = "/images/web-b.raw";

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData("start")]
    [InlineData("revert")]
    [InlineData("undo")]
    public async Task All_of_them_are_named_by_the_refusal_and_by_the_plan_that_is_forced(string command)
    {
        await _world.DefineAsync();
        await _world.SnapshotAsync("one");
        await _world.StartAsync();
        _world.Host.Tick();
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(Scenario.Revert("one"));
        await PlanAsync(Request(command, force: false));
        Write(First, Second);

        var error = await HomeTests.FailAsync(() => _world.RunAsync(Request(command, force: false)));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains(First, error.Message, StringComparison.Ordinal);
        Assert.Contains(Second, error.Message, StringComparison.Ordinal);
        var forced = await PlanAsync(Request(command, force: true));
        Assert.Equal(2, forced.Plan.Warnings.Count(w => w.Contains("after snapshot 'one' froze it", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task So_are_those_of_the_same_snapshot_that_the_command_does_not_build_on()
    {
        await _world.DefineAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(new DetachDisk(World.Name, "vdb", Discard: true));
        Write(Second);
        await PlanAsync(Request("start", force: false));
        Write(First);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Request("start", force: false)));
        Assert.Contains(Second, error.Message, StringComparison.Ordinal);
        var forced = await PlanAsync(Request("start", force: true));
        Assert.Contains(forced.Plan.Warnings, w => w.Contains(Second, StringComparison.Ordinal));
    }

    [Fact]
    public async Task To_delete_a_snapshot_only_the_disks_that_it_froze_are_looked_at()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "one", Disks = [new DiskRequest("vdb", DiskMode.None)] });
        _world.Host.State = _world.Host.State with { Images = _world.Host.State.Images.Remove(Second) };
        await HomeTests.FailAsync(() => _world.RunAsync(Request("start", force: false)));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Assert.Empty(_world.Catalog.Snapshots);
    }

    private static Request Request(string command, bool force) => command switch
    {
        "start" => new StartDomain(World.Name, Paused: false, Force: force),
        "revert" => Scenario.Revert("one") with { Force = force },
        _ => new UndoRevert(World.Name, Force: force),
    };

    private Task<OperationResult> PlanAsync(Request request) => _world.Open().RunAsync(request, new RunOptions { PlanOnly = true });

    private void Write(params string[] images)
    {
        foreach (var image in images)
        {
            _world.Host.Modified[image] = TimeProvider.System.GetUtcNow().AddHours(1);
        }
    }
}
