using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Tests.Engine;

/// <summary>Deleting any node, and the merges that follow.</summary>
public sealed class MergeTests : IDisposable
{
    private const string Name = World.Name;

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(MergeDirection.Commit, true)]
    [InlineData(MergeDirection.Stream, true)]
    [InlineData(MergeDirection.Commit, false)]
    [InlineData(MergeDirection.Stream, false)]
    public async Task A_middle_node_is_deleted_and_its_layers_merged_both_ways_running_or_off(MergeDirection direction, bool runs)
    {
        await _world.ThreeAsync(runs);
        var before = Contents();
        await _world.RunAsync(Delete("two") with { Direction = direction });
        Assert.Equal(2, _world.Catalog.Jobs.Length);
        Assert.Equal(["one", "three"], Names());
        before.Remove("two");
        Assert.Equal(before, Contents());
        Inspection.CheckAll(_world);

        await WaitAsync();
        Assert.Empty(_world.Catalog.Jobs);
        Assert.Equal(before, Contents());
        Assert.Equal(runs ? 1 : 0, _world.Host.State.Processes.Count);
        Assert.Empty(_world.Host.State.Merges);
        Assert.Equal(4, LayerGraph.Of(_world.Catalog).All.Count(l => l.Disk == "vda") + 1);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Deleting_waits_if_it_is_asked_to_and_tells_how_far_the_merges_have_come()
    {
        await _world.ThreeAsync(runs: true);
        var told = new List<OperationEvent>();
        _world.Host.MergesGoOnWhenAsked = true;
        var result = await _world.Open().RunAsync(Delete("two") with { Wait = true }, new RunOptions { OnEvent = told.Add });
        Assert.Empty(result.Catalog!.Jobs);
        Assert.Contains(told, e => e is { Point: OperationPoint.JobProgressed, Job.Disk: "vda", Progress.Total.Bytes: > 0 });
        Assert.Contains(result.Steps, s => s.Kind is "machine.finish-merge");
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Waiting_outlasts_another_command_that_holds_the_domain()
    {
        await _world.ThreeAsync(runs: true);
        _world.Host.MergesGoOnWhenAsked = true;
        FileLock? other = null;
        var told = 0;
        var result = await _world.Open().RunAsync(Delete("two") with { Wait = true }, new RunOptions
        {
            LockWait = TimeSpan.Zero,
            OnEvent = e =>
            {
                if (e.Point is not OperationPoint.JobProgressed)
                {
                    return;
                }

                other ??= FileLock.AcquireAsync(_world.Domain.Lock, TimeSpan.Zero, TimeProvider.System, default).GetAwaiter().GetResult();
                if (told++ == 20)
                {
                    other!.Dispose();
                }
            },
        });
        Assert.True(told > 20);
        Assert.Empty(result.Catalog!.Jobs);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_fails_while_it_waits_says_that_what_was_done_stands()
    {
        await _world.ThreeAsync(runs: false);
        _world.Host.ProcessesAnswer = true;
        var error = await HomeTests.FailAsync(() => _world.Open().RunAsync(Delete("two") with { Wait = true }, new RunOptions
        {
            OnEvent = e => _world.Host.ProcessesAnswer &= e.Point is not OperationPoint.JobProgressed,
        }));
        Assert.Equal(ErrorKind.Hypervisor, error.Kind);
        Assert.EndsWith("; what was done before stands", error.Problem, StringComparison.Ordinal);
        Assert.Equal(["one", "three"], Names());
    }

    [Fact]
    public async Task Waiting_for_all_goes_on_while_one_runs_though_another_cannot_be_finished()
    {
        await _world.ThreeAsync(runs: true);
        await _world.RunAsync(Delete("two"));
        var jobs = _world.Catalog.Jobs;
        for (var i = 0; i < 9; i++)
        {
            _world.Host.Tick();
        }

        var slow = _world.Host.State.Merges[jobs[1].Id];
        _world.Host.State = _world.Host.State with { Merges = _world.Host.State.Merges.SetItem(jobs[1].Id, slow with { IsReady = false }) };
        var finishes = 0;
        _world.Host.Acting = what =>
        {
            if (what == "finish merge" && _world.Host.State.Merges.GetValueOrDefault(jobs[1].Id) is { IsReady: false })
            {
                finishes++;
                throw new IOException("no");
            }
        };
        var told = 0;
        var result = await _world.Open().RunAsync(new WaitForJobs(Name, null), new RunOptions
        {
            OnEvent = e =>
            {
                if (e.Point is OperationPoint.JobProgressed && ++told == 6)
                {
                    _world.Host.Tick();
                }
            },
        });

        // Once as the command begins, and once as it waits.
        Assert.Equal(2, finishes);
        Assert.Empty(result.Catalog!.Jobs);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Waiting_ends_and_says_why_if_what_is_ready_cannot_be_finished()
    {
        await _world.ThreeAsync(runs: true);
        await _world.RunAsync(Delete("two"));
        _world.Host.MergesGoOnWhenAsked = true;
        _world.Host.Acting = what => _ = what == "finish merge" ? throw new IOException("no") : 0;
        var result = await _world.RunAsync(new WaitForJobs(Name, null));
        const string Told = "waits: all is copied, and it could not be finished; 'gc' tries it again";
        Assert.Equal(2, result.Warnings.Count(w => w.EndsWith(Told, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_the_guest_writes_to_gets_an_empty_layer_before_it_is_committed_and_is_merged_with_that_when_the_domain_is_off()
    {
        await _world.ThreeAsync(runs: true);
        var head = LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks[0].Layer].Path;
        var result = await _world.RunAsync(Delete("three") with { Direction = MergeDirection.Commit });
        Assert.NotNull(result.Pause);
        Assert.NotEqual(head, _world.Host.State.Processes.Values.Single().Drives[0].Path);
        _world.Host.Tick();
        await WaitAsync();
        Assert.False(_world.Host.State.Images.ContainsKey(head));
        Inspection.CheckAll(_world);

        var waits = await _world.RunAsync(new CollectGarbage(Name));
        Assert.All(waits.Plan.Warnings, w => Assert.EndsWith("it is merged when the domain is off", w, StringComparison.Ordinal));
        await _world.RunAsync(new KillDomain(Name));
        var (layers, shown) = (LayerGraph.Of(_world.Catalog).All.Length, Inspection.Kept(_world));
        await WaitAsync(new CollectGarbage(Name) { Wait = true });
        Assert.Equal(layers - 2, LayerGraph.Of(_world.Catalog).All.Length);
        Assert.Equal(shown, Inspection.Kept(_world));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task All_snapshots_are_deleted_at_once_and_the_users_images_hold_what_the_disks_show()
    {
        await _world.ThreeAsync(runs: false);
        var shown = Inspection.Kept(_world);
        await WaitAsync(new DeleteSnapshot(Name, []) { Scope = DeleteScope.All, Direction = MergeDirection.Commit, Wait = true });
        Assert.Empty(_world.Catalog.Snapshots);
        Assert.Equal(["/images/web-a.qcow2", "/images/web-b.raw"], LayerGraph.Of(_world.Catalog).All.Select(l => l.Path).Order());
        Assert.Equal(shown, _world.Host.State.Last("/images/web-a.qcow2"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task An_image_that_another_domain_uses_or_that_has_a_second_name_is_not_written()
    {
        await _world.ThreeAsync(runs: false);
        _world.Host.Link("/images/web-a.qcow2", "/images/second-name");
        var other = World.Definition("other", 2);
        await _world.RunAsync(new DefineDomain(other with
        {
            Disks = [other.Disks[0] with { Source = "/images/web-b.raw", Format = ImageFormat.Qcow2, ReadOnly = true }],
        }));
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Delete("one") with { Direction = MergeDirection.Commit }));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("has 2 names", error.Problem, StringComparison.Ordinal);

        await WaitAsync(Delete("one") with { Wait = true });
        Assert.Equal(["three", "two"], Names());
        Assert.True(_world.Host.State.Images.ContainsKey("/images/web-b.raw"));
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Path.StartsWith("/images/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_domain_cannot_be_defined_on_an_image_that_a_merge_writes()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(Delete("one") with { Direction = MergeDirection.Commit });
        var other = World.Definition("other", 2);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(new DefineDomain(other with
        {
            Disks = [other.Disks[0] with { Source = "/images/web-a.qcow2", ReadOnly = true }],
        })));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
    }

    [Fact]
    public async Task A_merge_that_fails_is_told_both_layers_stay_and_it_is_begun_anew_or_given_up()
    {
        await _world.ThreeAsync(runs: true);
        var before = Contents();
        _world.Host.MergesFail = true;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Delete("two") with { Wait = true }));
        Assert.Contains("no space left; both layers read as before", error.Problem, StringComparison.Ordinal);
        before.Remove("two");
        Assert.Equal(before, Contents());
        var jobs = await _world.Open().ReadJobsAsync(Name);
        Assert.All(jobs, j => Assert.Equal(MergeState.Failed, j.Observation.State));

        await _world.RunAsync(new CancelJobs(Name, jobs[0].Job.Id.Value));
        Assert.Equal(jobs[1].Job.Id, Assert.Single(_world.Catalog.Jobs).Id);
        _world.Host.MergesFail = false;
        await WaitAsync();
        Assert.Empty(_world.Catalog.Jobs);
        await WaitAsync(new CollectGarbage(Name) { Wait = true });
        Assert.Equal(before, Contents());
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Id == jobs[0].Job.Gone);
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData("one", "snapshot 'two'")]
    [InlineData("three", "the domain as it is now")]
    public async Task Discarding_is_refused_with_the_names_of_what_builds_on_it(string name, string builder)
    {
        await _world.ThreeAsync(runs: false);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Delete(name) with { Mode = DeleteMode.Discard }));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains(builder, error.Problem, StringComparison.Ordinal);
        error = await HomeTests.FailAsync(() => _world.RunAsync(Delete(name) with { Mode = DeleteMode.DiscardForce }));
        Assert.Contains("revert elsewhere first", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Discarding_by_force_takes_what_builds_on_it_and_tips_but_merges_nothing()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(Scenario.Revert("one") with { State = RevertState.Running });
        var result = await _world.RunAsync(Delete("two") with { Mode = DeleteMode.DiscardForce });
        Assert.Equal("1 tips go with them", Assert.Single(result.Plan.Warnings));
        Assert.Equal(["one"], Names());
        Assert.Empty(_world.Catalog.Tips);
        Assert.Empty(_world.Catalog.Jobs);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_node_with_several_children_is_deleted_and_what_they_share_stays_without_a_name_until_one_is_left()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(Scenario.Revert("two") with { State = RevertState.Running });
        _world.Host.Tick();
        await _world.SnapshotAsync("four");
        _world.Host.Tick();
        var result = await _world.RunAsync(Delete("two") with { Direction = MergeDirection.Commit });
        Assert.Equal(2, result.Plan.Warnings.Count(w => w.Contains("2 layers build on it", StringComparison.Ordinal)));
        Assert.Empty(_world.Catalog.Jobs);
        var before = Contents();

        await WaitAsync(Delete("three") with { Mode = DeleteMode.DiscardForce });
        await WaitAsync(new CollectGarbage(Name) { Wait = true });
        before.Remove("three");
        Assert.Equal(before, Contents());
        Assert.Empty(new UnnamedLayers(_world.Catalog, [], []).Find());
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_plan_tells_what_both_directions_would_write_and_touches_nothing()
    {
        await _world.ThreeAsync(runs: true);
        var state = _world.Host.State;
        var planned = await _world.Open().RunAsync(Delete("two"), new RunOptions { PlanOnly = true });
        Assert.Matches(@"merge vda by (commit|stream) \([0-9.]+ K?i?B; (commit|stream) would write [0-9.]+ K?i?B\)", planned.Mechanism);
        Assert.Contains(planned.Plan.CleanUp, s => s.Kind is "machine.begin-merge" && s.Files.Any(f => f.Bytes.Bytes > 0));
        Assert.Same(state, _world.Host.State);
    }

    [Theory]
    [InlineData(MergeDirection.Commit, true)]
    [InlineData(MergeDirection.Stream, false)]
    public async Task A_plan_tells_that_what_is_ready_is_finished_first_and_is_what_is_then_done(MergeDirection direction, bool runs)
    {
        await _world.ThreeAsync(runs);
        await _world.RunAsync(Delete("two") with { Direction = direction });
        for (var i = 0; i < 9; i++)
        {
            _world.Host.Tick();
        }

        foreach (var request in new Request[] { Delete("one") with { Direction = direction }, new CreateSnapshot(Name) { Name = "four", DiskOnly = runs } })
        {
            var state = _world.Host.State;
            var planned = await _world.Open().RunAsync(request, new RunOptions { PlanOnly = true });
            Assert.Same(state, _world.Host.State);
            Assert.Equal(
                _world.Catalog.Jobs.Select(j => $"merge {j.Id} of disk '{j.Disk}' is ready and is finished first"),
                planned.Plan.Warnings.Select(w => w.Split(':')[0]).Where(w => w.Contains("finished first", StringComparison.Ordinal)));
            if (request is CreateSnapshot)
            {
                Assert.DoesNotContain(planned.Plan.Steps, s => s.Kind is "machine.halt-merge");
                var done = await _world.RunAsync(request);
                Assert.Equal(planned.Plan.Steps.Select(s => s.Kind), done.Plan.Steps.Select(s => s.Kind));
            }
            else
            {
                Assert.Contains("merge vda", planned.Mechanism, StringComparison.Ordinal);
            }
        }

        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_merge_into_an_image_of_the_user_that_fails_offers_no_cancelling_which_would_be_refused()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(new DeleteSnapshot(Name, ["two", "three"]));
        await WaitAsync();
        _world.Host.MergesFail = true;
        var error = await HomeTests.FailAsync(() => _world.RunAsync(Delete("one") with { Direction = MergeDirection.Commit, Wait = true }));
        Assert.Equal($"mend that and go on with: coppice gc {Name}", error.NextStep);
    }

    [Fact]
    public async Task A_check_knows_the_processes_of_merges_and_a_repair_leaves_them_alone()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(Delete("two"));
        Assert.DoesNotContain(await _world.Open().CheckAsync(null), f => f.Severity is not Severity.Note);
        await _world.RunAsync(new RepairDomain(Name, true));
        Assert.Equal(2, _world.Host.State.Merges.Count(m => m.Value.IsGuestless));
    }

    [Fact]
    public async Task A_merge_that_has_become_impossible_is_taken_off_the_record_with_its_reason()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(Delete("two"));
        var job = _world.Catalog.Jobs.Single(j => j.Disk == "vda");
        _world.Host.Link(LayerGraph.Of(_world.Catalog)[job.Kept].Path, "/images/second-name");
        var result = await _world.RunAsync(new StartDomain(Name, Paused: false));
        Assert.DoesNotContain(_world.Catalog.Jobs, j => j.Disk == "vda");
        var warning = Assert.Single(result.Plan.Warnings, w => w.Contains($"merge {job.Id} of disk 'vda'", StringComparison.Ordinal));
        Assert.Contains("has 2 names", warning, StringComparison.Ordinal);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_commit_into_an_image_of_the_user_has_begun_is_not_left_half_done()
    {
        await _world.ThreeAsync(runs: false);
        await _world.RunAsync(new DeleteSnapshot(Name, ["two", "three"]));
        await WaitAsync();
        await _world.RunAsync(Delete("one") with { Direction = MergeDirection.Commit });
        Assert.All(_world.Catalog.Jobs, j => Assert.True(j.HasBegun));
        _world.Host.LosePower();
        var before = _world.Host.State.Images;
        Request[] losing =
        [
            new UndefineDomain(Name, Snapshots: true), new CancelJobs(Name, null), new DetachDisk(Name, "vda", Discard: true),
        ];
        foreach (var request in losing)
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(ErrorKind.WrongState, error.Kind);
            Assert.Contains("half written", error.Problem, StringComparison.Ordinal);
            Assert.Equal("wait for it: coppice job wait web", error.NextStep);
        }

        Assert.Equal(2, _world.Catalog.Jobs.Length);
        Assert.Equal(before.Keys.Order(), _world.Host.State.Images.Keys.Order());
        await WaitAsync();
        await _world.RunAsync(new UndefineDomain(Name, Snapshots: true));
        Assert.Empty(_world.All);
    }

    private static DeleteSnapshot Delete(string name) => new(Name, name, metadataOnly: false);

    private string[] Names() => [.. _world.Catalog.Snapshots.Values.Select(s => s.Name).Order(StringComparer.Ordinal)];

    private async Task<OperationResult> WaitAsync(Request? request = null)
    {
        _world.Host.Asked = _world.Host.Tick;
        try
        {
            return await _world.RunAsync(request ?? new WaitForJobs(Name, null));
        }
        finally
        {
            _world.Host.Asked = null;
        }
    }

    /// <summary>What each snapshot shows.</summary>
    private SortedDictionary<string, string> Contents()
    {
        var graph = LayerGraph.Of(_world.Catalog);
        return new(_world.Catalog.Snapshots.Values.ToDictionary(
            s => s.Name, s => string.Join(' ', s.Disks.Select(d => string.Join(',', _world.Host.State.Read(graph[d.Layer].Path))))));
    }
}
