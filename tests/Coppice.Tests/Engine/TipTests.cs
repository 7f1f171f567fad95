using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>What reverts left: returned to, dropped, kept for so long or so many.</summary>
public sealed class TipTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task Any_tip_is_returned_to_and_what_is_left_becomes_one_in_turn_R158()
    {
        await WithTipsAsync(3);
        var (oldest, at) = (_world.Catalog.Tips[0], Newest(_world.Catalog.Tips[0].Head));
        await _world.RunAsync(new RevertToTip(Name, oldest.Id.Value, Force: false));
        Assert.Equal(3, _world.Catalog.Tips.Length);
        Assert.DoesNotContain(_world.Catalog.Tips, t => t.Id == oldest.Id);
        Assert.Equal(at, Newest(_world.Catalog.Head));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_tip_that_is_not_there_is_refused_with_the_near_ones()
    {
        await WithTipsAsync(1);
        var id = _world.Catalog.Tips[0].Id.Value;
        var wrong = $"{id[..^1]}{(id[^1] is 'f' ? '0' : 'f')}";
        foreach (var request in new DomainRequest[] { new RevertToTip(Name, wrong, Force: false), new DropTips(Name) { Tips = [wrong] } })
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal((ErrorKind.NotFound, $"did you mean '{id}'?"), (error.Kind, error.NextStep));
        }
    }

    [Fact]
    public async Task Dropping_a_tip_removes_its_memory_and_the_layers_that_only_it_reaches()
    {
        await WithTipsAsync(3);
        var tip = _world.Catalog.Tips[1];
        var own = LayerGraph.Of(_world.Catalog).OnlyOf(tip).ToArray();
        Assert.Equal(3, own.Length);
        await _world.RunAsync(new DropTips(Name) { Tips = [tip.Id.Value, tip.Id.Value] });
        Assert.DoesNotContain(tip.Memory.File!, _world.Host.State.Memories.Keys);
        Assert.DoesNotContain(_world.Host.State.Images.Keys, own.Contains);
        Assert.Equal(2, _world.Catalog.Tips.Length);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new DropTips(Name) { AllBut = new TipRetention(0, null) });
        Assert.Empty(_world.Catalog.Tips);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task The_rule_is_heeded_when_a_tip_is_made_and_what_goes_is_told()
    {
        await WithTipsAsync(3);
        var noted = await _world.RunAsync(new KeepTips(Name, new TipRetention(2, null)));
        Assert.Contains("1 tip of those there are", Assert.Single(noted.Plan.Warnings), StringComparison.Ordinal);
        var gone = _world.Catalog.Tips.Take(2).ToArray();
        var reverted = await RevertAsync("one");
        Assert.Equal(gone.Select(t => $"tip {t.Id},"), reverted.Plan.Warnings.Select(w => w[..13]));
        Assert.Equal(2, _world.Catalog.Tips.Length);
        Assert.Equal(2, _world.Host.State.Memories.Keys.Count(_world.Catalog.Tips.Select(t => t.Memory.File).Contains));
        Inspection.CheckAll(_world);

        // Whatever leaves no tip leaves the others alone.
        await _world.RunAsync(new KeepTips(Name, new TipRetention(1, null)));
        await _world.RunAsync(Scenario.Revert("one") with { DiscardCurrent = true });
        Assert.Equal(2, _world.Catalog.Tips.Length);
    }

    [Fact]
    public void A_tip_is_kept_by_either_its_place_or_its_age()
    {
        var now = DateTimeOffset.UnixEpoch.AddDays(100);
        int[] ages = [90, 20, 8, 6, 0];
        var tips = ages.Select((days, i) => new Tip
        {
            Id = new ShortId($"0000000{i}"), LeftAt = now.AddDays(-days), State = DomainState.Off, Memory = MemoryImage.None,
            Head = new Head { Definition = new ShortId("dddddddd"), Disks = [] },
        }).ToArray();
        Assert.Equal([], Gone(TipRetention.Forever));
        Assert.Equal([90, 20], Gone(new(3, null)));
        Assert.Equal([90, 20, 8], Gone(new(null, TimeSpan.FromDays(7))));
        Assert.Equal([90], Gone(new(4, TimeSpan.FromDays(7))));
        Assert.Equal([90, 20, 8], Gone(new(1, TimeSpan.FromDays(7))));
        Assert.Equal([90, 20, 8, 6, 0], Gone(new(0, null)));

        IEnumerable<int> Gone(TipRetention retention) => retention.Expired([.. tips], now).Select(t => (now - t.LeftAt).Days);
    }

    [Fact]
    public async Task Ten_tips_that_are_kept_for_ever_are_worth_a_word()
    {
        await WithTipsAsync(9);
        Assert.Contains("10 tips", Assert.Single((await RevertAsync("one")).Plan.Warnings), StringComparison.Ordinal);
        await _world.RunAsync(new KeepTips(Name, new TipRetention(50, null)));
        Assert.Empty((await RevertAsync("one")).Plan.Warnings);
    }

    [Fact]
    public async Task A_snapshot_with_its_later_changes_is_the_newest_tip_that_came_from_it_R171()
    {
        await WithTipsAsync(1);
        await RevertAsync("two");
        var (first, later) = (_world.Catalog.Tips[0], _world.Catalog.Tips[1]);
        Assert.Equal((_world.Catalog.Find("two").Id, _world.Catalog.Find("one").Id), (first.Current, later.Current));
        await _world.RunAsync(Scenario.Revert("one") with { Latest = true });
        Assert.DoesNotContain(_world.Catalog.Tips, t => t.Id == later.Id);
        Assert.Equal(_world.Catalog.Find("one").Id, _world.Catalog.Current);
        Inspection.CheckAll(_world);

        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Revert("off") with { Latest = true }));
        Assert.Equal(ErrorKind.NotFound, error.Kind);
        Assert.Contains("'off'", error.Subject, StringComparison.Ordinal);
    }

    private Task<OperationResult> RevertAsync(string snapshot) => _world.RunAsync(Scenario.Revert(snapshot));

    private long Newest(Head head)
    {
        var graph = LayerGraph.Of(_world.Catalog);
        return head.Disks.Max(d => _world.Host.State.Last(graph[d.Layer].Path));
    }

    private async Task WithTipsAsync(int tips)
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("off");
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        _world.Host.Tick();
        for (var i = 0; i < tips; i++)
        {
            await RevertAsync("one");
            _world.Host.Tick();
            _world.Host.Tick();
        }
    }
}
