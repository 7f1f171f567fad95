using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A home that stays open reads only what it does not know. Whatever others do, it says what is stored.</summary>
public sealed class KnownCatalogTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task What_another_home_did_is_seen()
    {
        await _world.DefineAsync();
        var (one, other) = (_world.Open(), _world.Open());
        foreach (var name in new[] { "a", "b", "c" })
        {
            await one.RunAsync(new CreateSnapshot(World.Name) { Name = name }, new RunOptions(), Cancellation);
            await other.RunAsync(new EditSnapshot(World.Name, name, $"{name}2", "by another"), new RunOptions(), Cancellation);
            await SameAsStoredAsync(one, other);
        }

        Assert.Equal(["a2", "b2", "c2"], (await one.ShowAsync(World.Name, Cancellation)).Catalog.Snapshots.Values.Select(s => s.Name).Order());
    }

    [Fact]
    public async Task A_domain_that_was_made_anew_under_its_uuid_is_the_new_one()
    {
        var home = _world.Open();
        await _world.DefineAsync();
        await home.RunAsync(new CreateSnapshot(World.Name) { Name = "old" }, new RunOptions(), Cancellation);
        await _world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => home.ShowAsync(World.Name, Cancellation))).Kind);
        await _world.DefineAsync();
        Assert.Empty((await home.ShowAsync(World.Name, Cancellation)).Catalog.Snapshots);
        await home.RunAsync(new CreateSnapshot(World.Name) { Name = "new" }, new RunOptions(), Cancellation);
        await SameAsStoredAsync(home);
    }

    [Fact]
    public async Task A_root_that_somebody_broke_is_not_taken_for_the_one_that_is_known()
    {
        await _world.DefineAsync();
        var home = _world.Open();
        await home.ShowAsync(World.Name, Cancellation);
        await File.AppendAllTextAsync(_world.Domain.CatalogRoot, "x", Cancellation);
        Assert.Equal(ErrorKind.Damaged, (await HomeTests.FailAsync(() => home.ShowAsync(World.Name, Cancellation))).Kind);
    }

    [Fact]
    public async Task A_record_that_was_damaged_since_is_found_by_a_check()
    {
        await _world.DefineAsync();
        var home = _world.Open();
        await home.RunAsync(new CreateSnapshot(World.Name) { Name = "s" }, new RunOptions(), Cancellation);
        var record = Assert.Single(Directory.GetFiles(_world.Domain.CatalogRecords));
        await File.WriteAllTextAsync(record, "broken", Cancellation);
        var found = Assert.Single(await home.CheckAsync(World.Name, Cancellation), f => f.Kind is FindingKind.Unreadable);
        Assert.Contains(record, found.Subject, StringComparison.Ordinal);
        Assert.Equal(ErrorKind.Damaged, (await HomeTests.FailAsync(() => home.ShowAsync(World.Name, Cancellation))).Kind);
    }

    [Fact]
    public async Task The_records_that_an_edit_replaced_are_gone()
    {
        await _world.DefineAsync();
        var home = _world.Open();
        await home.RunAsync(new CreateSnapshot(World.Name) { Name = "s" }, new RunOptions(), Cancellation);
        for (var i = 0; i < 3; i++)
        {
            await home.RunAsync(new EditSnapshot(World.Name, "s", null, $"{i}"), new RunOptions(), Cancellation);
            Assert.Single(Directory.GetFiles(_world.Domain.CatalogRecords));
        }

        await SameAsStoredAsync(home);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private async Task SameAsStoredAsync(params Home[] homes)
    {
        foreach (var home in homes)
        {
            Assert.Equal(CatalogText.Of(_world.Catalog), CatalogText.Of((await home.ShowAsync(World.Name, Cancellation)).Catalog));
        }
    }
}
