using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What reads layers without the lock gives the right answer, or none, while merges write and remove them.</summary>
public sealed class UnlockedReadingTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task A_difference_is_right_although_the_layers_it_is_read_from_are_merged_meanwhile(MergeDirection direction)
    {
        await ThreeAsync();
        var before = await CompareAsync("one", "three");
        var layers = Layers();
        WhileReading(1, () => MergeAsync(direction));
        var after = await CompareAsync("one", "three");
        Assert.True(Layers() < layers);
        Assert.Equal(before.Disks.Select(d => d.Difference!.Changed), after.Disks.Select(d => d.Difference!.Changed));
    }

    [Fact]
    public async Task A_difference_that_is_pulled_away_each_time_says_try_again()
    {
        await ThreeAsync();
        var number = 0;
        WhileReading(99, () => _world.SnapshotAsync($"more {number++}"));
        var error = await HomeTests.FailAsync(() => CompareAsync("one", null));
        Assert.Equal((ErrorKind.Busy, "try again when that is done"), (error.Kind, error.NextStep));

        // What is read stays as it is, whatever else becomes of the domain.
        WhileReading(99, () => _world.SnapshotAsync($"more {number++}"));
        Assert.Equal(2, (await CompareAsync("one", "two")).Disks.Length);
        Assert.True(number > 4);
    }

    [Fact]
    public async Task What_goes_while_it_is_compared_is_not_found_rather_than_damaged()
    {
        await ThreeAsync();
        WhileReading(1, () => _world.RunAsync(Delete("three")));
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => CompareAsync("one", "three"))).Kind);
    }

    [Theory]
    [InlineData(MergeDirection.Commit)]
    [InlineData(MergeDirection.Stream)]
    public async Task Verifying_finds_nothing_wrong_with_layers_that_are_merged_meanwhile(MergeDirection direction)
    {
        await ThreeAsync();
        await _world.Open().VerifyAsync(World.Name, null, take: true, TestContext.Current.CancellationToken);
        WhileReading(1, () => MergeAsync(direction));
        var verified = await _world.Open().VerifyAsync(World.Name, null, take: false, TestContext.Current.CancellationToken);
        Assert.Equal([VerifiedState.Intact, VerifiedState.Unverified], verified.Select(v => v.State).Distinct().Order());
    }

    [Fact]
    public async Task What_is_wrong_is_told_although_the_domain_changes_meanwhile()
    {
        await ThreeAsync();
        await _world.Open().VerifyAsync(World.Name, null, take: true, TestContext.Current.CancellationToken);
        var layer = _world.Catalog.Find("two").Layers.First(l => l.Disk == "vda");
        var before = await new FakeStorage(_world.Host).ObserveFilesAsync([layer.Path], TestContext.Current.CancellationToken);
        _world.Host.Modified[layer.Path] = before[layer.Path].ModifiedAt;
        _world.Host.State = _world.Host.State.With(layer.Path, i => i with { Blocks = i.Blocks.SetItem(99, 1) });
        WhileReading(1, () => _world.SnapshotAsync("four"));
        var verified = await _world.Open().VerifyAsync(World.Name, "two", take: false, TestContext.Current.CancellationToken);
        Assert.Equal((VerifiedState.Changed, layer.Path), Assert.Single(verified, v => v.State is not VerifiedState.Intact) is var v ? (v.State, v.File) : default);
    }

    private static DeleteSnapshot Delete(string name) => new(World.Name, name, metadataOnly: false);

    private int Layers() => LayerGraph.Of(_world.Catalog).All.Length;

    private Task<SnapshotDifference> CompareAsync(string first, string? second) => _world.Open().CompareAsync(World.Name, first, second, null);

    /// <summary>Does something the first few times that an image is read.</summary>
    private void WhileReading(int times, Func<Task> act) => _world.Host.Reading = () => times-- > 0 ? act() : Task.CompletedTask;

    private async Task MergeAsync(MergeDirection direction)
    {
        await _world.RunAsync(Delete("two") with { Direction = direction });
        for (var i = 0; i < 9; i++)
        {
            _world.Host.Tick();
        }

        await _world.RunAsync(new WaitForJobs(World.Name, null));
        Assert.Empty(_world.Catalog.Jobs);
    }

    /// <summary>Snapshots one, two and three; the guest has written after each and runs.</summary>
    private async Task ThreeAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await _world.SnapshotAsync(name);
            _world.Host.Tick();
        }
    }
}
