using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A domain is undefined and nothing is lost: its folder is kept under another name.</summary>
public sealed class KeptDomainTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task All_that_it_has_comes_back_with_the_name_of_its_folder()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(new RevertSnapshot(World.Name, "one", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        await _world.RunAsync(new KillDomain(World.Name));
        var (before, files) = (_world.Catalog, Files());
        var result = await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false) { Keep = true });
        var kept = _world.Domain.Undefined(result.Plan.Id);
        Assert.Equal(kept, Assert.Single(Directory.GetDirectories(_world.Folder.Domains)));
        Assert.Contains(kept, Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => _world.Open().ShowAsync(World.Name))).Kind);
        Assert.Empty((await _world.Open().ListAsync()).Broken);
        var finding = Assert.Single(await _world.Open().CheckAsync(null));
        Assert.Equal((FindingKind.Kept, Severity.Note), (finding.Kind, finding.Severity));

        Directory.Move(kept, _world.Domain.Path);
        Assert.Equal(before.Snapshots.Keys.Order(ById), _world.Catalog.Snapshots.Keys.Order(ById));
        Assert.Equal(before.Tips.Select(t => t.Id), _world.Catalog.Tips.Select(t => t.Id));
        Assert.Equal(files, Files());
        await _world.RunAsync(new StartDomain(World.Name, Paused: false));
        Assert.Empty(await _world.Open().CheckAsync(World.Name));
    }

    [Fact]
    public async Task Another_domain_takes_its_name_and_uuid_meanwhile()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false) { Keep = true });
        await _world.DefineAsync();
        Assert.Empty(_world.Catalog.Snapshots);
        await _world.SnapshotExternalAsync("one");
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false) { Keep = true });
        Assert.Equal(2, Directory.GetDirectories(_world.Folder.Domains).Length);
    }

    [Fact]
    public async Task Nothing_is_kept_of_one_with_which_nothing_is_lost()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: false) { Keep = true });
        Assert.Empty(Directory.GetDirectories(_world.Folder.Domains));
    }

    [Fact]
    public async Task A_plan_says_where_it_is_kept_and_touches_nothing()
    {
        await _world.ThreeAsync(runs: false);
        var planned = await _world.Open().RunAsync(
            new UndefineDomain(World.Name, Snapshots: false) { Keep = true }, new RunOptions { PlanOnly = true });
        Assert.Contains($"keep all that the domain has, in {_world.Domain.Undefined(planned.Plan.Id)}", planned.Mechanism, StringComparison.Ordinal);
        Assert.True(_world.Exists);
    }

    [Fact]
    public async Task One_that_runs_is_let_go_when_it_ends_unless_something_would_be_lost()
    {
        await _world.DefineAsync();
        Assert.Equal(ErrorKind.WrongState, (await HomeTests.FailAsync(() => _world.RunAsync(new ReleaseDomain(World.Name)))).Kind);
        await _world.StartAsync();
        await _world.RunAsync(new ReleaseDomain(World.Name));
        Assert.Equal(Persistence.Transient, _world.Catalog.Persistence);
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.False(_world.Exists);

        await _world.ThreeAsync(runs: true);
        await _world.RunAsync(new ReleaseDomain(World.Name));
        await _world.RunAsync(new KillDomain(World.Name));
        Assert.Equal((Persistence.Persistent, 3), (_world.Catalog.Persistence, _world.Catalog.Snapshots.Count));
    }

    private static IComparer<SnapshotId> ById => Comparer<SnapshotId>.Create((a, b) => a.Value.CompareTo(b.Value));

    private string[] Files() => [.. Directory.GetFiles(_world.Domain.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
