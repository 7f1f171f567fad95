using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Whether a head is still exactly what a snapshot has (R168), and what a revert makes of that (R169).</summary>
public sealed class CleanMarkTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_paused_guest_that_was_just_snapshotted_leaves_no_tip_and_one_that_ran_since_does_R169()
    {
        await CleanAsync();
        Assert.Equal(_world.Catalog.Find("one").Id, _world.Catalog.Head.SameAs);
        await RevertAsync();
        Assert.Empty(_world.Catalog.Tips);
        Assert.Equal(_world.Catalog.Find("one").Id, _world.Catalog.Head.SameAs);

        // Home and host are opened anew for each command: nothing but the disk remembers.
        await RevertAsync();
        Assert.Empty(_world.Catalog.Tips);

        await _world.RunAsync(new ResumeDomain(Name));
        await _world.RunAsync(new PauseDomain(Name));
        Assert.Null(_world.Catalog.Head.SameAs);
        await RevertAsync();
        Assert.Single(_world.Catalog.Tips);
    }

    [Fact]
    public async Task Memory_is_saved_only_after_the_mark_is_gone_since_QEMU_may_have_to_let_the_guest_run_for_that()
    {
        foreach (var request in new Request[] { new CreateSnapshot(Name) { Name = "two" }, Scenario.Checkpointed("one"), new SaveDomain(Name) })
        {
            if (!_world.Exists)
            {
                await CleanAsync();
            }

            Assert.NotNull(_world.Catalog.Head.SameAs);
            _world.Host.Acting = what =>
            {
                if (what is "stop")
                {
                    throw new CoppiceException(ErrorKind.Hypervisor, what, "is not allowed today");
                }
            };
            await HomeTests.FailAsync(() => _world.RunAsync(request));
            _world.Host.Acting = null;
            Assert.Null(_world.Catalog.Head.SameAs);
            await _world.SnapshotAsync($"again {request.Operation}");
        }
    }

    [Theory]
    [InlineData("start")]
    [InlineData("resume")]
    [InlineData("reboot")]
    [InlineData("reset")]
    [InlineData("revert")]
    public async Task The_mark_is_gone_from_the_disk_before_a_guest_is_let_run_R168(string how)
    {
        await CleanAsync();
        if (how is "start")
        {
            await _world.RunAsync(new KillDomain(Name));
        }

        Assert.NotNull(_world.Catalog.Head.SameAs);
        var seen = 0;
        await _world.Open().RunAsync(
            how switch
            {
                "start" => new StartDomain(Name, Paused: false),
                "resume" => new ResumeDomain(Name),
                "reboot" => new RebootDomain(Name),
                "reset" => new ResetDomain(Name),
                _ => Scenario.Revert("one") with { State = RevertState.Running },
            },
            new RunOptions
            {
                OnEvent = e =>
                {
                    if (e is { Point: OperationPoint.StepIntended, Step.Kind: "machine.signal" or "machine.take-over" })
                    {
                        Assert.Null(_world.Catalog.Head.SameAs);
                        seen++;
                    }
                },
            });
        Assert.Equal(1, seen);
        Assert.Null(_world.Catalog.Head.SameAs);
    }

    [Fact]
    public async Task A_guest_that_somebody_let_run_by_hand_counts_as_dirty()
    {
        await CleanAsync();
        Steer(DomainState.Running);
        _world.Host.Tick();
        await RevertAsync();
        Assert.Single(_world.Catalog.Tips);

        // Now it stands again, and only its disks tell.
        Steer(DomainState.Running);
        _world.Host.Tick();
        Steer(DomainState.Paused);
        Assert.NotNull(_world.Catalog.Head.SameAs);
        await RevertAsync();
        Assert.Equal(2, _world.Catalog.Tips.Length);
    }

    [Fact]
    public async Task Whatever_changes_the_domain_makes_it_dirty_R168()
    {
        await _world.DefineAsync();
        Request[] changes =
        [
            new ResizeDisk(Name, "vda", new ByteCount(4 << 20)), Scenario.Attach(), Scenario.Detach("vdc"),
            new DefineDomain(World.Definition() with { VirtualCpus = 2 }), new DeleteSnapshot(Name, "one", metadataOnly: false),
            new CreateSnapshot(Name) { Name = "part", Disks = [new("vda", DiskMode.External), new("vdb", DiskMode.None)] },
        ];
        foreach (var change in changes)
        {
            if (_world.Catalog.Head.SameAs is null)
            {
                await Clear();
                var all = _world.Catalog.Head.Disks.Select(d => d.Target).ToArray();
                await _world.RunAsync(new CreateSnapshot(Name) { Name = "one", Disks = [.. Scenario.External(all)] });
            }

            Assert.NotNull(_world.Catalog.Head.SameAs);
            await _world.RunAsync(change);
            Assert.True(_world.Catalog.Head.SameAs is null, $"{change}");
        }

        async Task Clear()
        {
            if (_world.Catalog.Snapshots.Values.Any(s => s.Name == "one"))
            {
                await _world.RunAsync(new EditSnapshot(Name, "one", $"one{_world.Catalog.Revision}", null));
            }
        }
    }

    [Fact]
    public async Task What_leaves_the_domain_as_it_is_leaves_it_clean()
    {
        await CleanAsync();
        await _world.RunAsync(new EditSnapshot(Name, "one", "uno", null));
        await _world.RunAsync(new SetCurrentSnapshot(Name, "first"));
        await _world.RunAsync(new SetAutostart(Name, IsOn: true));
        await _world.RunAsync(new KillDomain(Name));
        await _world.RunAsync(new StartDomain(Name, Paused: true));
        Assert.Equal(_world.Catalog.Find("uno").Id, _world.Catalog.Head.SameAs);
        await _world.RunAsync(Scenario.Revert("first"));
        Assert.Empty(_world.Catalog.Tips);
    }

    [Fact]
    public async Task A_tip_that_was_returned_to_is_used_up_so_the_head_is_dirty_though_its_guest_stands()
    {
        await CleanAsync();
        await _world.RunAsync(new ResumeDomain(Name));
        _world.Host.Tick();
        await _world.RunAsync(new PauseDomain(Name));
        await RevertAsync();
        await _world.RunAsync(new UndoRevert(Name));
        Assert.Equal(DomainState.Paused, Inspection.StateOf(_world));
        Assert.Null(_world.Catalog.Head.SameAs);
        await RevertAsync();
        Assert.Single(_world.Catalog.Tips);
    }

    [Fact]
    public async Task A_TPM_that_nobody_used_since_a_revert_leaves_no_tip()
    {
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        await _world.SnapshotExternalAsync("off");
        await _world.RunAsync(Scenario.Revert("off"));
        await _world.RunAsync(Scenario.Revert("off"));
        Assert.Empty(_world.Catalog.Tips);
        await _world.StartAsync();
        await _world.RunAsync(new KillDomain(Name));
        await _world.RunAsync(Scenario.Revert("off"));
        Assert.Single(_world.Catalog.Tips);
    }

    [Fact]
    public async Task What_somebody_writes_past_Coppice_to_an_image_that_keeps_the_snapshot_inside_it_is_left_as_a_tip()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(Name)
        {
            Name = "one", Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.Internal)],
        });
        Assert.NotNull(_world.Catalog.Head.SameAs);
        var image = LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer].Path;
        _world.Host.State = _world.Host.State.With(image, i => i with { Blocks = i.Blocks.SetItem(0, 77) });
        await RevertAsync();
        var tip = Assert.Single(_world.Catalog.Tips);
        Assert.Equal(image, LayerGraph.Of(_world.Catalog)[tip.Head.Disks[0].Layer].Path);

        // What a revert copied out shows it as little.
        var copy = LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer].Path;
        _world.Host.State = _world.Host.State.With(copy, i => i with { Blocks = i.Blocks.SetItem(0, 78) });
        await RevertAsync();
        Assert.Equal(copy, LayerGraph.Of(_world.Catalog)[_world.Catalog.Tips[^1].Head.Disks[0].Layer].Path);
    }

    [Fact]
    public async Task A_domain_that_is_off_is_not_told_to_be_clean_in_a_snapshot_inside_its_image_since_a_revert_leaves_a_tip()
    {
        await _world.DefineAsync();
        await _world.RunAsync(new CreateSnapshot(Name)
        {
            Name = "one", Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.External)],
        });
        await IsDirtyAsync();
        await RevertAsync();
        Assert.Single(_world.Catalog.Tips);
        await IsDirtyAsync();

        async Task IsDirtyAsync()
        {
            var view = await _world.Open().ShowAsync(Name);
            Assert.Null(view.Catalog.CleanIn(view.Hypervisor));
        }
    }

    [Fact]
    public async Task A_cable_that_was_pulled_makes_it_dirty()
    {
        await _world.RunAsync(new DefineDomain(World.Definition() with
        {
            Devices = [.. World.Definition().Devices, new NetworkDevice()],
        }));
        await _world.SnapshotExternalAsync("one");
        Assert.NotNull(_world.Catalog.Head.SameAs);
        await _world.RunAsync(new SetLink(Name, "net0", IsUp: false));
        Assert.Null(_world.Catalog.Head.SameAs);
        await RevertAsync();
        Assert.Single(_world.Catalog.Tips);
    }

    [Fact]
    public async Task A_mark_of_a_snapshot_with_another_definition_does_not_count()
    {
        await CleanAsync();
        await _world.RunAsync(new KillDomain(Name));
        var one = _world.Catalog.Find("one").Id;
        await _world.RunAsync(new DefineDomain(World.Definition() with { VirtualCpus = 2 }));
        var (store, catalog) = (new CatalogStore(_world.Domain), _world.Catalog);
        await store.CommitAsync(await store.StageAsync(
            new CatalogChange { Head = catalog.Head with { SameAs = one }, Current = catalog.Current }, catalog.Last));
        await RevertAsync();
        Assert.Equal(catalog.Head.Definition, Assert.Single(_world.Catalog.Tips).Head.Definition);
    }

    private Task<OperationResult> RevertAsync() => _world.RunAsync(Scenario.Revert("one"));

    private void Steer(DomainState state) => _world.Host.State =
        FakeHost.Set(_world.Host.State, _world.Catalog.Head.Process!.Value, p => p with { State = state });

    /// <summary>A guest that ran and stands, and all of it in a snapshot.</summary>
    private async Task CleanAsync()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("first");
        await _world.StartAsync();
        await _world.RunAsync(new PauseDomain(Name));
        await _world.SnapshotAsync("one");
    }
}
