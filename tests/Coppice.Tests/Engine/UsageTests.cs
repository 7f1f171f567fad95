using Coppice.Contracts.Fakes;
using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>What each reference takes is what is freed when it alone goes. On the fake machine every file takes 4096 bytes.</summary>
public sealed class UsageTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_leaf_owns_its_memory_and_layers_and_shares_what_others_build_on()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        var usage = await UsageAsync();
        Assert.Equal([("one", 1, 2), ("two", 3, 2), ("head", 2, 2)], usage.References.Select(r => (r.Name, Files(r.Own), Files(r.Shared))));
        Assert.Equal([1, 1, 0], usage.References.Select(r => Files(r.Memory)));
        Assert.Equal((8, 2, 0), (Files(usage.Total), Files(usage.Brought), Files(usage.Linked)));
    }

    [Fact]
    public async Task What_is_owned_is_what_a_deletion_frees()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Revert("one"));
        var own = (await UsageAsync()).References.Single(r => r.Name == "two").Own;
        var before = (await UsageAsync()).Total;
        await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: false));
        Assert.Equal(before.Bytes - own.Bytes, (await UsageAsync()).Total.Bytes);
    }

    [Fact]
    public async Task A_file_that_has_other_names_counts_once_and_is_nobodys_own()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        var before = (await UsageAsync()).References.Single(r => r.Name == "two");
        _world.Host.Link(_world.Catalog.Find("two").Layers[0].Path, "/images/fork");
        var usage = await UsageAsync();
        var after = usage.References.Single(r => r.Name == "two");
        Assert.Equal((Files(before.Own) - 1, Files(before.Shared) + 1), (Files(after.Own), Files(after.Shared)));
        Assert.Equal(1, Files(usage.Linked));
    }

    [Fact]
    public async Task What_lies_inside_an_image_is_not_told_apart_and_tips_and_saved_memory_count()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(Scenario.Inside("inside", "vda"));
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Revert("inside"));
        await _world.RunAsync(new SaveDomain(World.Name));
        var usage = await UsageAsync();
        Assert.True(usage.References[0].IsInside);
        Assert.Equal(0, usage.References[0].Own.Bytes);
        Assert.Equal([ReferenceKind.Snapshot, ReferenceKind.Tip, ReferenceKind.Head], usage.References.Select(r => r.Kind));
        Assert.True(usage.References.Skip(1).All(r => Files(r.Memory) == 1));
    }

    private Task<DomainUsage> UsageAsync() => _world.Open().ReadUsageAsync(World.Name);

    private static long Files(ByteCount bytes) => bytes.Bytes / FakeHost.FileSize.Bytes;
}
