using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>What a fork has borrowed is on the record of whoever has it, whatever both do (R176).</summary>
public sealed class LoanTests : IDisposable
{
    private const string Original = World.Name, Copy = "copy", Image = "/images/web-a.qcow2", Layer = "/elsewhere/layer.qcow2";
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_forgotten_snapshot_of_a_fork_that_is_put_back_borrows_anew()
    {
        await OffAsync(DomainSeal.AssignAddresses(World.Definition()));
        await _world.RunAsync(Scenario.Fork("one"));
        var document = await _world.Open().ReadSnapshotAsync(Copy, "one");
        await _world.RunAsync(new DeleteSnapshot(Copy, "one", metadataOnly: true));
        await _world.RunAsync(new DetachDisk(Copy, "vda", Discard: true));
        await _world.RunAsync(new CollectGarbage(Original));
        Assert.DoesNotContain(Image, Lent());
        await _world.RunAsync(new RedefineSnapshot(Copy, document, IsCurrent: false));
        Assert.Contains(Image, Lent());
        await _world.RunAsync(new CollectGarbage(Original));
        Assert.Contains(Image, Lent());
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_layer_whose_removal_was_interrupted_is_gone_before_a_fork_could_borrow_it_again()
    {
        var document = await ForgottenAsync();
        await _world.RunAsync(Scenario.Revert("first") with { DiscardCurrent = true });
        await InterruptedAsync(new DeleteSnapshot(Original, "elsewhere", metadataOnly: false));
        Assert.True(_world.Host.State.Images.ContainsKey(Layer));
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Path == Layer);
        await MissesAsync(document);
    }

    [Fact]
    public async Task The_layers_of_a_domain_whose_undefine_was_interrupted_are_gone_before_a_fork_could_borrow_them_again()
    {
        var document = await ForgottenAsync();
        await _world.RunAsync(new KillDomain(Original));
        await InterruptedAsync(new UndefineDomain(Original, Snapshots: true));
        Assert.True(_world.Host.State.Images.ContainsKey(Layer));
        await MissesAsync(document);
        Assert.False(Directory.Exists(_world.Domain.Path));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_layer_that_is_being_merged_away_is_borrowed_by_nobody(bool isReady)
    {
        var document = await ForgottenAsync();
        await _world.RunAsync(new DeleteSnapshot(Original, "elsewhere", metadataOnly: false) { Direction = MergeDirection.Stream });
        var job = Assert.Single(_world.Catalog.Jobs, j => LayerGraph.Of(_world.Catalog)[j.Lower].Path == Layer);
        for (var i = 0; isReady && i < 10; i++)
        {
            _world.Host.Tick();
        }

        if (isReady)
        {
            await MissesAsync(document);
            return;
        }

        var refused = await HomeTests.FailAsync(() => _world.RunAsync(new RedefineSnapshot(Copy, document, IsCurrent: false)));
        Assert.Equal(ErrorKind.WrongState, refused.Kind);
        Assert.Contains($"is being merged ({job.Id})", refused.Problem, StringComparison.Ordinal);
        Assert.Contains("coppice job wait web", refused.NextStep, StringComparison.Ordinal);
        Assert.DoesNotContain(Layer, Lent());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_internal_snapshot_is_taken_out_of_an_image_with_another_name_when_its_domain_goes(bool isInterrupted)
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "inside", Disks = [new DiskRequest("vda", DiskMode.Internal)] });
        var layer = _world.Catalog.Find("inside").Layers.Single(l => l.Disk == "vda");
        _world.Host.Link(layer.Path, "/images/kept-by-somebody.qcow2");
        ImmutableArray<string> told;
        if (isInterrupted)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => _world.Open().RunAsync(new UndefineDomain(Original, Snapshots: true), new RunOptions
            {
                OnEvent = e => _ = e.Point is OperationPoint.Committed ? throw new InvalidOperationException("killed") : 0,
            }));
            _world.AddImage("/images/other-a.qcow2");
            _world.AddImage("/images/other-b.raw");
            told = (await _world.RunAsync(new DefineDomain(World.Definition("other", 2)))).Warnings;
        }
        else
        {
            told = (await _world.RunAsync(new UndefineDomain(Original, Snapshots: true))).Plan.Warnings;
        }

        Assert.Contains(told, w => w.Contains(layer.Inside!.Tag, StringComparison.Ordinal) && w.Contains("another name", StringComparison.Ordinal));
        Assert.Contains(layer.Inside!.Tag, _world.Host.State.Images["/images/kept-by-somebody.qcow2"].Internals.Keys);
        Assert.False(Directory.Exists(_world.Domain.Path));
    }

    [Fact]
    public async Task While_a_fork_of_a_fork_is_made_whoever_lends_loses_nothing()
    {
        await OffAsync();
        await _world.RunAsync(Scenario.Fork("one"));
        var events = new List<(bool Home, bool Lender)>();
        await _world.Open().RunAsync(new ForkSnapshot(Copy, "one", "second"), new RunOptions
        {
            OnEvent = e =>
            {
                // The lender is a third domain here. Nobody undefines it, or merges or removes a layer of it, without its lock.
                if (e.Point is OperationPoint.StepIntended or OperationPoint.Committing)
                {
                    events.Add((IsHeld(_world.Folder.Lock), IsHeld(_world.Domain.Lock)));
                }
            },
        });
        Assert.Contains(events, e => e is (true, true));
        Assert.DoesNotContain(events, e => e is (false, _) or (_, false));
        Inspection.CheckAll(_world);

        // Afterwards it goes by the loans: the images are the user's, so they stay.
        await _world.RunAsync(new UndefineDomain(Original, Snapshots: true));
        foreach (var name in new[] { Copy, "second" })
        {
            await _world.RunAsync(new StartDomain(name, Paused: false));
        }

        _world.Host.Tick();
        Assert.Equal(0, _world.Host.State.Bad);
    }

    [Fact]
    public async Task A_loan_of_a_fork_that_was_never_made_binds_nobody()
    {
        await OffAsync();
        _world.Host.Acting = what => _ = what.StartsWith("create", StringComparison.Ordinal) ? throw new IOException("no") : 0;
        await HomeTests.FailAsync(() => _world.RunAsync(Scenario.Fork("one")));
        _world.Host.Acting = null;
        Assert.NotEmpty(_world.Catalog.Loans);
        await _world.RunAsync(new UndefineDomain(Original, Snapshots: true));
        Assert.Empty(_world.All);
    }

    /// <summary>A fork has borrowed a layer that the original made, and forgotten it with its snapshot; its loan has ended.</summary>
    private async Task<SnapshotDocument> ForgottenAsync()
    {
        await _world.DefineAsync();
        await Scenario.Elsewhere(_world);
        await _world.RunAsync(Scenario.Fork("elsewhere"));
        Assert.Contains(Layer, Lent());
        var document = await _world.Open().ReadSnapshotAsync(Copy, "elsewhere");
        await _world.RunAsync(new StartDomain(Copy, Paused: false));
        await _world.RunAsync(new KillDomain(Copy));
        await _world.RunAsync(new DeleteSnapshot(Copy, "elsewhere", metadataOnly: true));
        await _world.RunAsync(new DetachDisk(Copy, "vda", Discard: true));
        await _world.RunAsync(new CollectGarbage(Original));
        Assert.DoesNotContain(Layer, Lent());
        return document;
    }

    private async Task InterruptedAsync(Request request) =>
        await Assert.ThrowsAsync<InvalidOperationException>(() => _world.Open().RunAsync(request, new RunOptions
        {
            OnEvent = e => _ = e.Point is OperationPoint.Committed ? throw new InvalidOperationException("killed") : 0,
        }));

    /// <summary>The snapshot is not put back, because its layer is gone.</summary>
    private async Task MissesAsync(SnapshotDocument document)
    {
        var refused = await HomeTests.FailAsync(() => _world.RunAsync(new RedefineSnapshot(Copy, document, IsCurrent: false)));
        Assert.Contains(Layer, $"{refused.Subject} {refused.Problem}", StringComparison.Ordinal);
        Assert.False(_world.Host.State.Images.ContainsKey(Layer));
        Assert.Empty(_world.Fork(Copy).Catalog.Snapshots);
    }

    private static bool IsHeld(string path)
    {
        using var taken = FileLock.TryAcquire(path);
        return taken is null;
    }

    /// <summary>A domain that is off, with a snapshot of disks that are the user's.</summary>
    private async Task OffAsync(DomainDefinition? definition = null)
    {
        await _world.DefineAsync();
        await _world.RunAsync(new DefineDomain(definition ?? World.Definition()));
        await _world.RunAsync(new CreateSnapshot(Original) { Name = "one", Disks = [.. Scenario.External("vda", "vdb")] });
    }

    private IEnumerable<string> Lent()
    {
        var graph = LayerGraph.Of(_world.Catalog);
        return _world.Catalog.Loans.Select(l => graph[l.Layer].Path);
    }
}
