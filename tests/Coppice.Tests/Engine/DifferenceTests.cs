using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What differs between snapshots of a fake guest, which writes one block in three with each number.</summary>
public sealed class DifferenceTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Snapshots_differ_in_what_was_written_between_them_and_the_head_of_a_guest_that_runs_moves()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        await _world.SnapshotAsync("same");

        var between = await CompareAsync("one", "two");
        Assert.Equal(("one", "two", false), (between.From, between.To, between.IsMoving));
        Assert.Equal([("vda", 1L), ("vdb", 1L)], between.Disks.Select(d => (d.Target, d.Difference!.Changed.Bytes)));
        Assert.Empty(between.Definition);
        Assert.All((await CompareAsync("two", "same")).Disks, d => Assert.Equal(0, d.Difference!.Count));
        _world.Host.Tick();
        var head = await CompareAsync("one", null, "vdb");
        Assert.Equal((true, 2L), (head.IsMoving, Assert.Single(head.Disks).Difference!.Changed.Bytes));
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.False((await CompareAsync("one", null)).IsMoving);
    }

    [Fact]
    public async Task A_disk_that_only_one_of_them_keeps_is_told_and_one_that_neither_has_is_refused()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("fewer");
        await _world.RunAsync(new DefineDomain(World.More()));
        await _world.RunAsync(new CreateSnapshot(World.Name) { Name = "more", Disks = [.. Scenario.External("vda", "vdb", "vdc")] });
        var difference = await CompareAsync("fewer", "more");
        Assert.Equal((false, true, null), Assert.Single(difference.Disks, d => d.Target == "vdc") is var d ? (d.IsInFirst, d.IsInSecond, d.Difference) : default);
        Assert.Contains(difference.Definition, l => l.StartsWith('+') && l.Contains("more.qcow2", StringComparison.Ordinal));
        Assert.DoesNotContain(difference.Definition, l => l.StartsWith('-'));
        var error = await HomeTests.FailAsync(() => CompareAsync("fewer", "more", "vdz"));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => CompareAsync("fewer", "nothing"))).Kind);
    }

    [Fact]
    public async Task Internal_snapshots_are_compared_like_any_layer()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(Scenario.Inside("inside", "vda"));
        _world.Host.Tick();
        Assert.Equal([1L, 1L], (await CompareAsync("inside", null)).Disks.Select(d => d.Difference!.Changed.Bytes));
    }

    [Theory]
    [InlineData("a\nb\nc", "a\nb\nc", "")]
    [InlineData("a\nb\nc\nd\ne", "a\nb\nX\nd\ne", "  a|  b|- c|+ X|  d|  e")]
    [InlineData("1\n2\n3\n4\n5\n6\n7\n8", "1\n3\n4\n5\n6\n7\n8\n9", "  1|- 2|  3|  4|...|  7|  8|+ 9")]
    [InlineData("x", "", "- x|+ ")]
    public void Lines_that_differ_are_shown_with_two_around_them(string first, string second, string expected) =>
        Assert.Equal(expected, string.Join('|', LineDifference.Of(first, second)));

    private Task<SnapshotDifference> CompareAsync(string first, string? second, string? disk = null) =>
        _world.Open().CompareAsync(World.Name, first, second, disk);
}
