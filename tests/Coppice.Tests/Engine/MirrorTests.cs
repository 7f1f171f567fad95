using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Disks are copied while their guest writes to them, and the guest goes over to the copy or stays (virsh blockcopy, blockcommit --active; R202).</summary>
public sealed class MirrorTests : IDisposable
{
    private const string Name = World.Name, Copied = "/copies/vda.qcow2";

    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_disk_is_moved_while_its_guest_writes_and_every_snapshot_stays_what_it_is(bool shallow)
    {
        await _world.ThreeAsync(runs: true);
        var before = Layer("vda");
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(Copy() with { Shallow = shallow, End = MirrorEnd.Pivot });
        Assert.Empty(_world.Catalog.Mirrors);
        Assert.Equal((Copied, LayerOrigin.User), (Layer("vda").Path, Layer("vda").Origin));
        Assert.Equal(shallow ? before.Parent : null, Layer("vda").Parent);
        Assert.False(_world.Host.State.Images.ContainsKey(before.Path), "what the guest has left is nobody's, and stays");

        GoesOn();
        await _world.SnapshotAsync("four");
        GoesOn();
        foreach (var name in new[] { "two", "four", "one" })
        {
            await _world.RunAsync(Scenario.Revert(name));
            GoesOn();
        }

        // It is the user's, whatever becomes of the domain.
        await _world.RunAsync(new KillDomain(Name));
        await _world.RunAsync(new UndefineDomain(Name, Snapshots: true));
        Assert.True(_world.Host.State.Images.ContainsKey(Copied));
    }

    [Fact]
    public async Task A_copy_that_is_kept_is_whole_and_the_guest_stays_where_it_is()
    {
        await _world.ThreeAsync(runs: true);
        _world.Host.MergesGoOnWhenAsked = true;
        var before = Layer("vda");
        await _world.RunAsync(Copy() with { End = MirrorEnd.Keep });
        Assert.Equal(before, Layer("vda"));
        Assert.Equal(_world.Host.State.Read(before.Path), _world.Host.State.Images[Copied].Blocks);
        Assert.DoesNotContain(LayerGraph.Of(_world.Catalog).All, l => l.Path == Copied);
        GoesOn();
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.True(_world.Host.State.Images.ContainsKey(Copied));
    }

    [Fact]
    public async Task While_a_disk_is_copied_nothing_moves_its_layers_and_the_guest_can_be_looked_after()
    {
        await CopyingAsync();
        var mirror = _world.Catalog.Mirrors.Single();
        Request[] refused =
        [
            new CreateSnapshot(Name) { Name = "four" }, Scenario.Revert("one"), new DeleteSnapshot(Name, "one", metadataOnly: false), new SaveDomain(Name),
            new ResizeDisk(Name, "vda", new ByteCount(8 << 20)), new UndoRevert(Name), Copy(), new CommitDisk(Name, "vda"),
        ];
        foreach (var request in refused)
        {
            var error = await RefusedAsync(request, ErrorKind.WrongState);
            Assert.Contains($"{Copied} (job {mirror.Id})", error.Problem, StringComparison.Ordinal);
            Assert.Contains($"coppice job finish web {mirror.Id}", error.NextStep, StringComparison.Ordinal);
        }

        foreach (var request in new Request[]
            {
                new PauseDomain(Name), new ResumeDomain(Name), new SetAutostart(Name, true), Scenario.Fork("one"), new CollectGarbage(Name),
                new CopyDisk(Name, "vdb", "/copies/vdb.raw"), new RenameDomain(Name, "other"), new RenameDomain("other", Name),
            })
        {
            await _world.RunAsync(request);
        }

        Assert.Equal(["vda", "vdb"], _world.Catalog.Mirrors.Select(m => m.Disk));
        await _world.RunAsync(new CancelJobs(Name, null));
        Assert.Empty(_world.Catalog.Mirrors);
        Assert.DoesNotContain(_world.Host.State.Images.Keys, p => p.StartsWith("/copies/", StringComparison.Ordinal));
        await _world.SnapshotAsync("four");
        GoesOn();
    }

    [Fact]
    public async Task A_copy_is_ended_by_whoever_has_asked_for_it_once_all_is_copied()
    {
        await _world.ThreeAsync(runs: true);
        await _world.RunAsync(Copy());
        var job = _world.Catalog.Mirrors.Single().Id.Value;
        Assert.Contains("has not copied everything yet", (await RefusedAsync(new EndMirror(Name, job, MirrorEnd.Pivot), ErrorKind.WrongState)).Problem, StringComparison.Ordinal);
        await RefusedAsync(new EndMirror(Name, "00000000", MirrorEnd.Pivot), ErrorKind.NotFound);
        Tick(5);
        await _world.RunAsync(new CollectGarbage(Name));
        Assert.Single(_world.Catalog.Mirrors);
        await _world.RunAsync(new EndMirror(Name, job, MirrorEnd.Pivot));
        Assert.Equal(Copied, Layer("vda").Path);
        GoesOn();
    }

    [Fact]
    public async Task A_copy_ends_with_its_guest_and_the_next_command_removes_what_was_made()
    {
        await CopyingAsync();
        await _world.RunAsync(new KillDomain(Name));
        Assert.True(_world.Host.State.Images.ContainsKey(Copied));
        Assert.Equal(MergeState.Gone, (await _world.Open().ReadMirrorsAsync(Name)).Single().Observation.State);
        await _world.StartAsync();
        Assert.Empty(_world.Catalog.Mirrors);
        Assert.False(_world.Host.State.Images.ContainsKey(Copied));
        GoesOn();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_copy_that_fails_says_why_and_leaves_nothing()
    {
        await _world.ThreeAsync(runs: true);
        var before = Layer("vda");
        _world.Host.MergesFail = true;
        var error = await RefusedAsync(Copy() with { End = MirrorEnd.Pivot }, ErrorKind.Storage);
        Assert.Contains("no space left", error.Problem, StringComparison.Ordinal);
        Assert.Equal(before, Layer("vda"));
        Assert.Empty(_world.Catalog.Mirrors);
        Assert.False(_world.Host.State.Images.ContainsKey(Copied));
        GoesOn();
    }

    [Fact]
    public async Task What_cannot_be_copied_or_copied_to_is_refused_before_anything_is_touched()
    {
        await _world.DefineAsync();
        var other = World.Definition("other", 2);
        other.Disks.ToList().ForEach(d => _world.AddImage(d.Source!));
        await _world.RunAsync(new DefineDomain(other));
        await RefusedAsync(Copy(), ErrorKind.WrongState, "is not running", "coppice start web");
        await _world.StartAsync();
        await RefusedAsync(Copy() with { Target = "vdz" }, ErrorKind.NotFound, "'vdz'", "vda, vdb");
        await RefusedAsync(Copy() with { Path = "copy.qcow2" }, ErrorKind.InvalidInput, "not an absolute path");
        await RefusedAsync(Copy() with { Path = "/copies/../x" }, ErrorKind.InvalidInput, "'..'");
        await RefusedAsync(Copy() with { Path = "/dev/sdq" }, ErrorKind.InvalidInput, "is a device", "--reuse");
        await RefusedAsync(Copy() with { Path = "/images/web-b.raw" }, ErrorKind.AlreadyExists, "disk 'vdb'");
        await RefusedAsync(Copy() with { Path = "/images/more.qcow2" }, ErrorKind.AlreadyExists, "/images/more.qcow2");
        await RefusedAsync(Copy() with { Path = $"{_world.Domain.Path}/x.qcow2" }, ErrorKind.Forbidden, "lies among what Coppice keeps");
        await RefusedAsync(Copy() with { Shallow = true, Format = ImageFormat.Raw }, ErrorKind.InvalidInput, "--format qcow2");
        await RefusedAsync(Copy() with { Reuse = true }, ErrorKind.NotFound, Copied);
        await RefusedAsync(Copy() with { Reuse = true, Path = "/images/other-a.qcow2" }, ErrorKind.AlreadyExists, "domain 'other'");
        _world.Host.State = _world.Host.State.With("/images/more.qcow2", i => i with { VirtualSize = new ByteCount(2 << 20) });
        await RefusedAsync(Copy() with { Reuse = true, Path = "/images/more.qcow2" }, ErrorKind.InvalidInput, "2097152", "1048576");
        Assert.Empty(_world.Catalog.Mirrors);
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData(MirrorEnd.Pivot)]
    [InlineData(MirrorEnd.Discard)]
    public async Task An_image_that_was_made_beforehand_is_overwritten_and_stays_whatever_happens(MirrorEnd end)
    {
        const string Prepared = "/images/more.qcow2";
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.State = _world.Host.State.With(Prepared, i => i with { Blocks = i.Blocks.Add(0, 77).Add(7, 77) });
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(Copy() with { Path = Prepared, Reuse = true });
        var job = _world.Catalog.Mirrors.Single().Id.Value;
        Tick(5);
        await _world.RunAsync(new EndMirror(Name, job, end));
        Assert.True(_world.Host.State.Images.ContainsKey(Prepared));
        Assert.Equal(end is MirrorEnd.Pivot, Layer("vda").Path == Prepared);
        GoesOn();
    }

    [Fact]
    public async Task What_a_guest_writes_to_is_committed_and_the_guest_goes_on_in_the_image_below()
    {
        await OverlaidAsync();
        var upper = Layer("vda");
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(new CommitDisk(Name, "vda") { End = MirrorEnd.Pivot });
        Assert.Equal(("/images/web-a.qcow2", LayerOrigin.User), (Layer("vda").Path, Layer("vda").Origin));
        Assert.False(_world.Host.State.Images.ContainsKey(upper.Path));
        Assert.Empty(_world.Catalog.Jobs);
        GoesOn();
        await RefusedAsync(new CommitDisk(Name, "vda"), ErrorKind.WrongState, "builds on nothing");
        await _world.SnapshotAsync("after");
        GoesOn();
        await _world.RunAsync(Scenario.Revert("after"));
        GoesOn();
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_a_snapshot_has_is_not_committed_to()
    {
        await _world.ThreeAsync(runs: true);
        await RefusedAsync(new CommitDisk(Name, "vda"), ErrorKind.WrongState, "is what snapshot 'three' has");
        await RefusedAsync(new CommitDisk(Name, "vda") { Base = "/nowhere" }, ErrorKind.NotFound, "'/nowhere'", "/images/web-a.qcow2");
        await RefusedAsync(new CommitDisk(Name, "vda") { End = MirrorEnd.Keep }, ErrorKind.InvalidInput, "coppice disk copy");
        GoesOn();
    }

    [Fact]
    public async Task A_users_image_that_a_commit_has_begun_to_write_is_made_whole_when_the_domain_is_off()
    {
        await OverlaidAsync();
        await _world.RunAsync(new CommitDisk(Name, "vda"));
        Tick(5);
        await _world.RunAsync(new CancelJobs(Name, _world.Catalog.Mirrors.Single().Id.Value));
        GoesOn();
        var upper = Layer("vda");
        Assert.Equal(upper.Id, Assert.Single(_world.Catalog.Jobs).Upper);
        await _world.RunAsync(new KillDomain(Name));
        var last = _world.Host.State.Last(upper.Path);
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(new CollectGarbage(Name) { Wait = true });
        Assert.Equal("/images/web-a.qcow2", Layer("vda").Path);
        Assert.Equal(last, _world.Host.State.Last("/images/web-a.qcow2"));
        await _world.StartAsync();
        GoesOn();
    }

    [Fact]
    public async Task A_users_image_is_not_left_half_written_by_a_commit_across_several_layers()
    {
        await OverlaidAsync();
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "more", DiskOnly = true, NoMetadata = true });
        await RefusedAsync(new CommitDisk(Name, "vda"), ErrorKind.WrongState, "would be half written", "coppice gc web");
        var between = LayerGraph.Of(_world.Catalog).Chain(Layer("vda").Id)[1];
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(new CommitDisk(Name, "vda") { Base = between.Path, End = MirrorEnd.Pivot });
        Assert.Equal(between.Path, Layer("vda").Path);
        GoesOn();
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData(MirrorEnd.Keep)]
    [InlineData(MirrorEnd.Pivot)]
    public async Task Whoever_waits_hears_that_somebody_else_has_given_the_copy_up(MirrorEnd end)
    {
        await _world.ThreeAsync(runs: true);
        var asked = 0;
        _world.Host.Asked = () =>
        {
            if (++asked == 8)
            {
                _world.Host.Asked = null;
                _world.RunAsync(new CancelJobs(Name, null)).GetAwaiter().GetResult();
            }
        };
        var error = await RefusedAsync(Copy() with { End = end }, ErrorKind.Storage);
        Assert.Contains("was given up", error.Problem, StringComparison.Ordinal);
        Assert.False(_world.Host.State.Images.ContainsKey(Copied));
    }

    [Fact]
    public async Task Who_gives_a_copy_up_is_heeded_also_where_it_was_said_to_end_otherwise()
    {
        await _world.ThreeAsync(runs: true);
        var before = Layer("vda");
        using (var stopping = new CancellationTokenSource())
        {
            await Assert.ThrowsAsync<CoppiceException>(() => _world.Open().RunAsync(Copy() with { End = MirrorEnd.Pivot }, new RunOptions
            {
                OnEvent = e => { if (e.Point is OperationPoint.JobProgressed) { stopping.Cancel(); } },
            }, stopping.Token));
        }

        Tick(5);
        var job = Assert.Single(_world.Catalog.Mirrors).Id.Value;
        var planned = await _world.Open().RunAsync(new CreateSnapshot(Name) { Name = "four" }, new RunOptions { PlanOnly = true });
        Assert.Contains(planned.Plan.Warnings, w => w.Contains($"({job}) is ended first", StringComparison.Ordinal));
        await _world.RunAsync(new CancelJobs(Name, job));
        Assert.Equal(before, Layer("vda"));
        Assert.False(_world.Host.State.Images.ContainsKey(Copied));
        GoesOn();
    }

    [Fact]
    public async Task A_disk_comes_back_to_where_it_was_and_a_copy_is_waited_for_by_its_job()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        _world.Host.MergesGoOnWhenAsked = true;
        var before = Layer("vda").Path;
        await _world.RunAsync(Copy() with { End = MirrorEnd.Pivot });
        var moved = await _world.RunAsync(Copy() with { Path = before, Reuse = true });
        var job = _world.Catalog.Mirrors.Single().Id.Value;
        Assert.Contains(moved.Plan.Warnings, w => w.Contains($"coppice job finish web {job}", StringComparison.Ordinal));
        Assert.Contains("coppice job finish", (await RefusedAsync(new WaitForJobs(Name, job), ErrorKind.WrongState)).NextStep, StringComparison.Ordinal);
        Tick(3);
        var back = await _world.RunAsync(new EndMirror(Name, job, MirrorEnd.Pivot));
        Assert.Contains(back.Plan.Warnings, w => w.Contains($"{Copied} is yours and stays", StringComparison.Ordinal));
        Assert.Equal(before, Layer("vda").Path);
        GoesOn();
    }

    [Fact]
    public async Task An_overlay_that_was_made_beforehand_takes_what_the_topmost_layer_has()
    {
        await OverlaidAsync();
        var below = LayerGraph.Of(_world.Catalog).Chain(Layer("vda").Id)[1];
        _world.AddImage(Copied, below.Path);
        _world.Host.MergesGoOnWhenAsked = true;
        var kept = await _world.RunAsync(Copy() with { Shallow = true, Reuse = true, End = MirrorEnd.Keep });
        Assert.Contains(kept.Warnings, w => w.Contains($"{Copied} builds on {below.Path}", StringComparison.Ordinal));
        await RefusedAsync(Copy() with { Shallow = true, Reuse = true }, ErrorKind.InvalidInput, "is not empty");

    }

    [Fact]
    public async Task Where_the_guest_could_not_go_over_nothing_is_copied()
    {
        await OverlaidAsync();
        await _world.RunAsync(new CommitDisk(Name, "vda"));
        Tick(5);
        await _world.RunAsync(new CancelJobs(Name, _world.Catalog.Mirrors.Single().Id.Value));
        await RefusedAsync(Copy() with { End = MirrorEnd.Pivot }, ErrorKind.WrongState, "half written until it is done");
        _world.Host.MergesGoOnWhenAsked = true;
        await _world.RunAsync(Copy() with { End = MirrorEnd.Keep });
        GoesOn();
    }

    [Fact]
    public async Task Only_to_plan_it_touches_nothing_and_tells_all()
    {
        await _world.ThreeAsync(runs: true);
        var (before, tree) = (_world.Host.State, Inspection.Tree(_world.Catalog));
        var planned = await _world.Open().RunAsync(Copy() with { End = MirrorEnd.Pivot }, new RunOptions { PlanOnly = true });
        Assert.Contains(planned.Plan.Steps.SelectMany(s => s.Summary.Split(' ')), w => w == Copied);
        Assert.Equal((before, tree), (_world.Host.State, Inspection.Tree(_world.Catalog)));
    }

    private static CopyDisk Copy() => new(Name, "vda", Copied);

    private async Task CopyingAsync()
    {
        await _world.ThreeAsync(runs: true);
        await _world.RunAsync(Copy());
        Tick(5);
    }

    private async Task OverlaidAsync()
    {
        await _world.DefineAsync();
        await _world.StartAsync();
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "none", DiskOnly = true, NoMetadata = true });
        _world.Host.Tick();
    }

    private Layer Layer(string disk) => LayerGraph.Of(_world.Catalog)[_world.Catalog.Head.Disks.Single(d => d.Target == disk).Layer];

    private void Tick(int times)
    {
        for (var tick = 0; tick < times; tick++)
        {
            _world.Host.Tick();
        }
    }

    /// <summary>The guest finds what it wrote.</summary>
    private void GoesOn()
    {
        Tick(3);
        Assert.Equal(0, _world.Host.State.Bad);
    }

    private async Task<CoppiceException> RefusedAsync(Request request, ErrorKind kind, params string[] words)
    {
        var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
        Assert.Equal(kind, error.Kind);
        Assert.All(words, w => Assert.Contains(w, error.Message, StringComparison.Ordinal));
        return error;
    }
}
