using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>What a fork cannot have under a name of its own it borrows: that is on record as long as it uses it (R176).</summary>
public sealed class ForkLoanTests : ForkBed
{
    [Fact]
    public async Task The_image_of_a_user_is_lent_as_long_as_a_fork_uses_it()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        Assert.Equal(["/images/web-a.qcow2", "/images/web-b.raw"], LentPaths());
        Assert.Equal(
            LentPaths(), LayerGraph.Of(Fork.Catalog).All.Where(l => l.Origin is LayerOrigin.Borrowed).Select(l => l.Path).Order(StringComparer.Ordinal));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(Third())));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);

        await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        Assert.Equal(2, _world.Catalog.Loans.Length);
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Empty(_world.Catalog.Loans);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Once_the_fork_is_gone_gc_and_delete_take_its_loans_off_the_record_and_merge_what_was_lent(bool deletes)
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(new KillDomain(Original));
        if (!deletes)
        {
            await _world.RunAsync(new DeleteSnapshot(Original, "one", metadataOnly: false));
            Assert.Equal(2, _world.Catalog.Loans.Length);
            Assert.Empty(_world.Catalog.Jobs);
        }

        await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        await _world.RunAsync(deletes ? new DeleteSnapshot(Original, "one", metadataOnly: false) : new CollectGarbage(Original));
        Assert.Empty(_world.Catalog.Loans);
        Assert.Equal(2, _world.Catalog.Jobs.Length);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_loan_that_is_over_is_dropped_by_gc_though_nothing_can_be_merged()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        await _world.RunAsync(new CollectGarbage(Original));
        Assert.Empty(_world.Catalog.Loans);
    }

    [Fact]
    public async Task A_layer_that_cannot_be_linked_is_lent_and_stays_until_the_fork_is_gone()
    {
        await _world.DefineAsync();
        await Scenario.Elsewhere(_world);
        await _world.RunAsync(Scenario.Fork("elsewhere"));
        const string Layer = "/elsewhere/layer.qcow2";
        Assert.Contains(Layer, LentPaths());
        Assert.Single(_world.Host.State.NamesOf(Layer));
        Inspection.CheckAll(_world);

        await _world.RunAsync(new KillDomain(Original));
        var refused = await HomeTests.FailAsync(() => _world.RunAsync(new UndefineDomain(Original, Snapshots: true)));
        Assert.Equal((ErrorKind.WouldLose, true), (refused.Kind, refused.Problem.Contains(Layer, StringComparison.Ordinal)));
        await _world.RunAsync(Scenario.Revert("first") with { DiscardCurrent = true });
        await _world.RunAsync(new DeleteSnapshot(Original, "elsewhere", metadataOnly: false));
        Assert.True(_world.Host.State.Images.ContainsKey(Layer));
        Inspection.CheckAll(_world);

        await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        Assert.True(_world.Host.State.Images.ContainsKey(Layer));
        await _world.RunAsync(Scenario.Revert("first") with { DiscardCurrent = true });
        Assert.False(_world.Host.State.Images.ContainsKey(Layer));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_is_lent_is_nobodys_own_and_what_is_borrowed_counts_as_brought()
    {
        await _world.DefineAsync();
        await Scenario.Elsewhere(_world);
        await _world.RunAsync(Scenario.Revert("first") with { DiscardCurrent = true });
        var before = await UsageAsync(Original);
        await _world.RunAsync(Scenario.Fork("elsewhere"));
        var (after, fork) = (await UsageAsync(Original), await UsageAsync(Copy));
        var borrowed = LayerGraph.Of(Fork.Catalog).All.Count(l => l.Origin is LayerOrigin.Borrowed);
        Assert.NotEqual(0, OwnOf(before, "elsewhere"));
        Assert.Equal(0, OwnOf(after, "elsewhere"));
        Assert.Equal(borrowed * FakeHost.FileSize.Bytes, fork.Brought.Bytes);

        static long OwnOf(DomainUsage usage, string name) => usage.References.Single(r => r.Name == name).Own.Bytes;
        Task<DomainUsage> UsageAsync(string name) => _world.Open().ReadUsageAsync(name);
    }

    [Fact]
    public async Task A_check_of_a_fork_leaves_alone_what_the_original_keeps_inside_images_that_both_use()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(Scenario.Inside("in an image of the user", "vda"));
        _world.Host.Tick();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Inside("in a layer", "vda"));
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        await _world.RunAsync(Scenario.Fork("two"));
        Assert.Equal(2, _world.Host.State.Images.Values.Where(i => !i.Internals.IsEmpty).Distinct().Count());
        Assert.DoesNotContain(await _world.Open().CheckAsync(Copy), f => f.Kind is FindingKind.UnknownInternal);

        _world.Host.State = _world.Host.State.With("/images/web-a.qcow2", i => i with { Health = ImageHealth.Leaking });
        var leak = Assert.Single(await _world.Open().CheckAsync(Copy), f => f.Kind is FindingKind.Leaking);
        Assert.False(leak.IsRepairable);
        Assert.DoesNotContain("qemu-img", leak.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fork_of_a_fork_borrows_from_whoever_owns()
    {
        await SnapshotAsync("one");
        await _world.RunAsync(Scenario.Fork("one"));
        await _world.RunAsync(new ForkSnapshot(Copy, "one", "second") { State = ForkState.Running });
        Assert.Equal(4, _world.Catalog.Loans.Length);
        await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        Tick(2);
        Inspection.CheckAll(_world);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task An_undefine_that_was_interrupted_goes_on_by_the_loans_that_last(bool forkIsGone)
    {
        await Scenario.All["revert to inside"].SetUpAsync(_world);
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "frozen", DiskOnly = true });
        await _world.RunAsync(Scenario.Fork("frozen"));
        if (forkIsGone)
        {
            await _world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        }

        await _world.RunAsync(new KillDomain(Original));
        await Assert.ThrowsAsync<InvalidOperationException>(() => _world.Open().RunAsync(new UndefineDomain(Original, Snapshots: true), new RunOptions
        {
            OnEvent = e => _ = e.Point is OperationPoint.Committed ? throw new InvalidOperationException("killed") : 0,
        }));
        Assert.False(_world.Exists);
        _world.AddImage("/images/other-a.qcow2");
        _world.AddImage("/images/other-b.raw");
        var told = (await _world.RunAsync(new DefineDomain(World.Definition("other", 2)))).Warnings;
        var left = _world.Host.State.Images.Where(i => i.Key.StartsWith("/images/", StringComparison.Ordinal)).SelectMany(i => i.Value.Internals.Keys).ToArray();
        Assert.Equal(forkIsGone, left.Length == 0);
        Assert.All(left, tag => Assert.Contains(told, w => w.Contains(tag, StringComparison.Ordinal)));
        Assert.False(Directory.Exists(_world.Domain.Path));
    }

    private static DomainDefinition Third() => World.Definition("third", 3) with { Disks = World.Definition().Disks };

    private IEnumerable<string> LentPaths()
    {
        var graph = LayerGraph.Of(_world.Catalog);
        return _world.Catalog.Loans.Select(l => graph[l.Layer].Path).Order(StringComparer.Ordinal);
    }
}
