using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A domain's name is the catalog's: its definitions are as old as the snapshots that they belong to.</summary>
public sealed class RenameTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_domain_that_runs_is_renamed_with_all_its_snapshots()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.RunAsync(new RenameDomain(World.Name, "shop"));
        Assert.Equal("shop", (await _world.Open().ShowAsync("shop")).Definition.Name);
        Assert.Contains("<name>shop</name>", await _world.Open().ReadDefinitionXmlAsync("shop"), StringComparison.Ordinal);
        var snapshot = await _world.Open().ReadSnapshotAsync("shop", "one");
        Assert.Contains("<name>shop</name>", SnapshotXml.Format(snapshot), StringComparison.Ordinal);
        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => _world.Open().ShowAsync(World.Name))).Kind);

        await _world.RunAsync(Scenario.Revert("one") with { Domain = "shop" });
        Assert.Equal("shop", (await _world.Open().ShowAsync("shop")).Catalog.Name);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new KillDomain("shop"));
        await _world.RunAsync(new UndefineDomain("shop", Snapshots: true));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task The_old_name_is_free_and_the_definition_takes_the_new_one()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new RenameDomain(World.Name, "shop"));
        var error = await HomeTests.FailAsync(_world.DefineAsync);
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        await _world.RunAsync(new DefineDomain(World.Definition() with { Name = "shop", VirtualCpus = 2 }));
        _world.AddImage("/images/other-a.qcow2");
        _world.AddImage("/images/other-b.raw");
        var second = World.Definition("other", 2) with { Name = World.Name };
        await _world.RunAsync(new DefineDomain(second));
        await _world.RunAsync(new UndefineDomain($"{second.Id}", Snapshots: false));
        await _world.RunAsync(new RenameDomain("shop", World.Name));
        var revision = _world.Catalog.Revision;
        await _world.RunAsync(new RenameDomain(World.Name, World.Name));
        Assert.Equal(revision, _world.Catalog.Revision);
        Assert.Equal(2, (await _world.Open().ShowAsync(World.Name)).Definition.VirtualCpus);
    }

    [Theory]
    [InlineData("other", ErrorKind.AlreadyExists)]
    [InlineData("00000002-0000-0000-0000-000000000000", ErrorKind.AlreadyExists)]
    [InlineData("a/b", ErrorKind.InvalidInput)]
    [InlineData("", ErrorKind.InvalidInput)]
    public async Task A_name_that_leads_elsewhere_or_is_none_is_refused(string name, ErrorKind kind)
    {
        await _world.DefineAsync();
        _world.AddImage("/images/other-a.qcow2");
        _world.AddImage("/images/other-b.raw");
        await _world.RunAsync(new DefineDomain(World.Definition("other", 2)));
        Assert.Equal(kind, (await HomeTests.FailAsync(() => _world.RunAsync(new RenameDomain(World.Name, name)))).Kind);
        Assert.Equal(World.Name, _world.Catalog.Name);
    }

    [Fact]
    public async Task A_plan_renames_nothing()
    {
        await _world.DefineAsync();
        var planned = await _world.Open().RunAsync(
            new RenameDomain(World.Name, "shop"), new RunOptions { PlanOnly = true });
        Assert.False(planned.Executed);
        Assert.Equal(World.Name, _world.Catalog.Name);
    }
}
