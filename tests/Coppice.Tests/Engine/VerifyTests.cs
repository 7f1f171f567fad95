using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What is frozen is read against checksums that were taken when nobody had touched it.</summary>
public sealed class VerifyTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Everything_is_unverified_until_checksums_are_taken_and_intact_from_then_on()
    {
        await GrowAsync();
        Assert.All(await VerifyAsync(), v => Assert.Equal(VerifiedState.Unverified, v.State));
        Assert.False(Directory.Exists(_world.Domain.Checksums));
        var taken = await VerifyAsync(take: true);
        Assert.All(taken, v => Assert.Equal(VerifiedState.Taken, v.State));
        Assert.Equal(3, taken.Count(v => v.Disk is null && v.File.Length > 0) + taken.Count(v => v.Snapshots.Contains("inside") && v.Disk == "vda") - 1);
        _world.Host.Tick();
        Assert.All(await VerifyAsync(), v => Assert.Equal(VerifiedState.Intact, v.State));
        Assert.All(await VerifyAsync(take: true), v => Assert.Equal(VerifiedState.Intact, v.State));
        Assert.DoesNotContain(await _world.Open().CheckAsync(null), f => f.Severity is not Severity.Note);
    }

    [Fact]
    public async Task What_the_storage_has_changed_is_found_with_the_snapshots_that_rely_on_it()
    {
        await GrowAsync();
        await VerifyAsync(take: true);
        var layer = _world.Catalog.Find("two").Layers.First(l => l.Disk == "vda");
        var before = await new FakeStorage(_world.Host).ObserveFilesAsync([layer.Path], TestContext.Current.CancellationToken);
        _world.Host.Modified[layer.Path] = before[layer.Path].ModifiedAt;
        _world.Host.State = _world.Host.State.With(layer.Path, i => i with { Blocks = i.Blocks.SetItem(99, 1) });
        var changed = Assert.Single(await VerifyAsync(), v => v.State is not VerifiedState.Intact);
        Assert.Equal((VerifiedState.Changed, layer.Path), (changed.State, changed.File));
        Assert.Contains("two", changed.Snapshots);
        Assert.All(await VerifyAsync("one"), v => Assert.Equal(VerifiedState.Intact, v.State));
    }

    [Fact]
    public async Task No_checksum_is_taken_of_what_was_written_after_it_froze()
    {
        await GrowAsync();
        var (layer, memory) = (_world.Catalog.Find("two").Layers.First(l => l.Disk == "vda"), _world.Catalog.Find("one").Memory.File!);
        _world.Host.Modified[layer.Path] = TimeProvider.System.GetUtcNow().AddHours(1);
        _world.Host.Modified[memory] = TimeProvider.System.GetUtcNow().AddHours(1);
        var states = (await VerifyAsync(take: true)).ToLookup(v => v.State, v => v.File);
        Assert.Equal(new[] { layer.Path, memory }.Order(), states[VerifiedState.Rewritten].Order());
        Assert.Equal([VerifiedState.Taken, VerifiedState.Rewritten], states.Select(s => s.Key).OrderByDescending(s => s is VerifiedState.Taken));
        Assert.False(File.Exists($"{_world.Domain.Checksums}/{layer.Id}.json"));
    }

    [Fact]
    public async Task What_is_gone_is_missing_and_what_was_removed_takes_its_checksum_with_it()
    {
        await GrowAsync();
        await VerifyAsync(take: true);
        _world.Host.State = _world.Host.State with { Memories = _world.Host.State.Memories.Remove(_world.Catalog.Find("one").Memory.File!) };
        Assert.Equal(VerifiedState.Missing, Assert.Single(await VerifyAsync("one"), v => v.Disk is null).State);

        var (taken, notes) = (Directory.GetFiles(_world.Domain.Checksums), $"{_world.Domain.Checksums}/notes.json");
        await File.WriteAllTextAsync(notes, "mine", TestContext.Current.CancellationToken);
        await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: false));
        Assert.Contains(taken, f => !File.Exists(f));
        Assert.True(File.Exists(notes));
        Assert.DoesNotContain(await _world.Open().CheckAsync(World.Name), f => f.Kind is FindingKind.Leftover);
        Assert.Contains(await VerifyAsync("one"), v => v.State is VerifiedState.Intact);
    }

    [Fact]
    public async Task A_checksum_that_cannot_be_read_counts_as_none()
    {
        await GrowAsync();
        await VerifyAsync(take: true);
        foreach (var file in Directory.GetFiles(_world.Domain.Checksums))
        {
            await File.WriteAllTextAsync(file, "{ \"version\": 9 }", TestContext.Current.CancellationToken);
        }

        Assert.All(await VerifyAsync(), v => Assert.Equal(VerifiedState.Unverified, v.State));
        Assert.All(await VerifyAsync(take: true), v => Assert.Equal(VerifiedState.Taken, v.State));
    }

    private async Task GrowAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Inside("inside", "vda"));
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("one"));
    }

    private Task<System.Collections.Immutable.ImmutableArray<Verification>> VerifyAsync(string? snapshot = null, bool take = false) =>
        _world.Open().VerifyAsync(World.Name, snapshot, take, TestContext.Current.CancellationToken);
}
