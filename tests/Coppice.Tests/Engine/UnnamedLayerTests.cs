using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Layers that only the head needs, since no snapshot refers to them (any more): what is in them is not lost unasked.</summary>
public sealed class UnnamedLayerTests : IDisposable
{
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    /// <summary>Each way in which what was written comes to lie below an empty layer that no snapshot froze.</summary>
    public static TheoryData<string> Ways => ["without metadata", "deleted", "forgotten"];

    [Theory, MemberData(nameof(Ways))]
    public async Task A_revert_keeps_what_was_written_below_an_empty_layer_and_undo_brings_it_back(string way)
    {
        await WrittenBelowAsync(way);
        var head = Contents();
        await _world.RunAsync(Scenario.Revert("one"));
        Assert.Single(_world.Catalog.Tips);
        Inspection.CheckAll(_world);
        await _world.RunAsync(new UndoRevert(World.Name));
        Assert.Equal(head, Contents());
        Inspection.CheckAll(_world);
    }

    [Theory, MemberData(nameof(Ways))]
    public async Task A_disk_whose_writes_lie_below_an_empty_layer_is_not_detached_unasked(string way)
    {
        await WrittenBelowAsync(way);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Detach("vdb")));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        await _world.RunAsync(Scenario.Detach("vdb") with { Discard = true });
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_forgotten_snapshot_had_frozen_is_told_with_how_long_it_stays()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.SnapshotAsync("two");
        var frozen = _world.Catalog.Find("two").Layers[0].Path;
        var result = await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: true));
        Assert.Contains($"{frozen} is kept as long as something builds on it", result.Plan.Warnings);
        Assert.Contains(result.Plan.Warnings, w => w.EndsWith(".mem is kept and no longer known", StringComparison.Ordinal));
        Assert.DoesNotContain(_world.Catalog.Snapshots.Values, s => s.Name == "two");
    }

    [Fact]
    public async Task Each_layer_without_a_name_is_told_with_why_it_is_there_and_what_makes_it_go()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        foreach (var name in new[] { "one", "two", "three" })
        {
            await _world.SnapshotAsync(name);
            _world.Host.Tick();
        }

        Assert.Empty((await ShowAsync()).Left);
        await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: false));
        var job = _world.Catalog.Jobs[0].Id;
        await TellsAsync($"merge {job} is at work on it", "wait for it: coppice job wait web");
        _world.Host.MergesFail = true;
        await TellsAsync($"merge {job} has failed: no space left", "begin it again: coppice gc web");
        _world.Host.MergesFail = false;
        var merges = _world.Host.State.Merges;
        _world.Host.State = _world.Host.State with { Merges = merges.Clear() };
        await TellsAsync($"merge {job} has failed: its process is gone", "begin it again: coppice gc web");
        _world.Host.State = _world.Host.State with { Merges = merges };

        await _world.RunAsync(new CancelJobs(World.Name, null));
        await TellsAsync("it was not merged yet, or its merge was given up", "merge it: coppice gc web");

        var lower = (await ShowAsync()).Left[0].Layer;
        _world.Host.Link(lower.Path, "/images/second-name");
        await _world.RunAsync(Scenario.Revert("one"));
        _world.Host.Link(LayerGraph.Of(_world.Catalog).BuiltOn(lower.Id)[0].Path, "/images/third-name");
        await TellsAsync("has 2 names: others rely on it", "it is merged once they are gone: coppice gc web");

        await _world.RunAsync(Scenario.Revert("three") with { DiscardCurrent = true });
        await _world.RunAsync(new DeleteSnapshot(World.Name, "three", metadataOnly: true));
        Assert.Contains((await ShowAsync()).Left, l => l.Reason.Contains("2 layers build on it", StringComparison.Ordinal)
            && l.Reason.Contains("(tip ", StringComparison.Ordinal) && l.Reason.Contains("(the head)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_the_guest_writes_above_a_layer_without_a_name_and_what_is_inside_an_image_are_told_too()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Inside("inside", "vda"));
        await _world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        await TellsAsync("snapshots are kept inside", "it is merged once they are deleted: coppice gc web");
        Assert.Contains((await ShowAsync()).Left, l => l.Reason.EndsWith(": inside", StringComparison.Ordinal));

        await _world.RunAsync(new DeleteSnapshot(World.Name, "inside", metadataOnly: false));
        await TellsAsync("the guest writes to what builds on it", "merge it when the domain is off, or at once if a stream writes less: coppice gc web");
        await _world.RunAsync(new KillDomain(World.Name));
        await TellsAsync("it was not merged yet, or its merge was given up", "merge it: coppice gc web");
    }

    private Task<DomainView> ShowAsync() => _world.Open().ShowAsync(World.Name);

    /// <summary>Whoever shows the domain and whoever checks it says the same; a merge on record is a finding of its own.</summary>
    private async Task TellsAsync(string reason, string nextStep)
    {
        var left = Assert.Single((await ShowAsync()).Left, l => l.Layer.Disk == "vda");
        Assert.Contains(reason, left.Reason, StringComparison.Ordinal);
        Assert.Equal(nextStep, left.NextStep);
        var findings = (await _world.Open().CheckAsync(World.Name)).Where(f => f.Subject == $"layer {left.Layer.Path} of disk 'vda'").ToArray();
        Assert.Equal(_world.Catalog.Jobs.Any(j => j.Lower == left.Layer.Id) ? 0 : 1, findings.Length);
        Assert.All(findings, f => Assert.Equal((FindingKind.Unnamed, Severity.Note, $"has no name: {left.Reason}"), (f.Kind, f.Severity, f.Problem)));
    }

    /// <summary>The domain is off, with a snapshot named one; its guest has written since, below layers that are empty.</summary>
    private async Task WrittenBelowAsync(string way)
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("one");
        await _world.StartAsync();
        await _world.RunAsync(new KillDomain(World.Name));
        await _world.RunAsync(new CreateSnapshot(World.Name)
        {
            Name = "two", NoMetadata = way is "without metadata", Disks = [.. Scenario.External("vda", "vdb")],
        });
        if (way is not "without metadata")
        {
            await _world.RunAsync(new DeleteSnapshot(World.Name, "two", metadataOnly: way is "forgotten"));
        }
    }

    private long[] Contents()
    {
        var graph = LayerGraph.Of(_world.Catalog);
        return [.. _world.Catalog.Head.Disks.Select(d => _world.Host.State.Last(graph[d.Layer].Path))];
    }
}
