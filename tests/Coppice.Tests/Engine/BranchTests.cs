using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>Snapshots that are made of others (R152–R163), and what they share with them (R174).</summary>
public sealed class BranchTests : IDisposable
{
    private const string Name = World.Name;
    private readonly World _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData("one")]
    [InlineData("inside")]
    [InlineData("off")]
    public async Task A_branch_has_all_that_its_parent_has_and_the_domain_notices_nothing_R154_R157(string from)
    {
        await RunningAsync();
        var (head, images, memories) = (_world.Catalog.Head.Process, _world.Host.State.Images, _world.Host.State.Memories);
        await _world.RunAsync(new CreateSnapshot(Name) { Name = "b", Description = "a branch", Branch = new BranchRequest(from, IsCurrent: false) });
        var (parent, made) = (_world.Catalog.Find(from), _world.Catalog.Find("b"));
        Assert.Equal((parent.Id, parent.Memory, parent.State), (made.Parent, made.Memory, made.State));
        Assert.Equal(parent.Disks.AsEnumerable(), made.Disks);
        Assert.Equal((head, "inside"), (_world.Catalog.Head.Process, _world.Catalog.Snapshots[_world.Catalog.Current!.Value].Name));
        Assert.Equal((images, memories), (_world.Host.State.Images, _world.Host.State.Memories));

        var at = await ContentAsync(from);
        Assert.Equal(at, await ContentAsync("b"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Deleting_one_of_two_leaves_the_memory_and_the_layers_that_the_other_has_R174()
    {
        await RunningAsync();
        await BranchAsync("one", "b");
        var memory = _world.Catalog.Find("one").Memory.File!;
        var at = await ContentAsync("one");
        await _world.RunAsync(new DeleteSnapshot(Name, "b", metadataOnly: false));
        Assert.Contains(memory, _world.Host.State.Memories.Keys);
        await BranchAsync("one", "c");
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: true));
        Assert.Contains(memory, _world.Host.State.Memories.Keys);
        Assert.Equal(at, await ContentAsync("c"));

        // Nobody writes to what only the branch has now.
        Assert.Empty(_world.Catalog.Head.Disks.Select(d => d.Layer).Intersect(_world.Catalog.Find("c").Disks.Select(d => d.Layer)));
        Inspection.CheckAll(_world);
        await _world.RunAsync(new DeleteSnapshot(Name, "c", metadataOnly: false));
        Assert.DoesNotContain(memory, _world.Host.State.Memories.Keys);
        Inspection.CheckAll(_world);
    }

    [Theory]
    [InlineData("one", 2)]
    [InlineData("inside", 1)]
    public async Task A_branch_can_have_a_memory_file_of_its_own_which_outlives_its_parent_R163_R175(string from, int names)
    {
        await RunningAsync();
        const string File = "/images/b.mem";
        var request = new CreateSnapshot(Name)
        {
            Name = "b", Branch = new BranchRequest(from, IsCurrent: false), Memory = new MemoryRequest(MemoryMode.External, File),
        };
        await _world.RunAsync(request);
        Assert.Equal((MemoryMode.External, File), (_world.Catalog.Find("b").Memory.Mode, _world.Catalog.Find("b").Memory.File));
        Assert.Equal(names, _world.Host.State.NamesOf(File).Length);
        Inspection.CheckAll(_world);

        var at = await ContentAsync(from);
        await _world.RunAsync(new DeleteSnapshot(Name, from, metadataOnly: false));
        Assert.Equal([File], _world.Host.State.NamesOf(File));
        Assert.Equal(at, await ContentAsync("b"));
        await _world.RunAsync(new DeleteSnapshot(Name, "b", metadataOnly: false));
        Assert.DoesNotContain(File, _world.Host.State.Memories.Keys);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Both_memory_files_can_be_named_but_not_alike_R163()
    {
        await RunningAsync();
        var left = new MemoryRequest(MemoryMode.External, "/images/left.mem");
        var both = Scenario.Branch("one", b => b with { Checkpoint = "left", LeftMemory = left });
        var error = await HomeTests.FailAsync(() => _world.RunAsync(both with { Memory = left }));
        Assert.Equal((ErrorKind.AlreadyExists, "memory file '/images/left.mem'"), (error.Kind, error.Subject));
        await _world.RunAsync(both with { Memory = left with { File = "/images/new.mem" } });
        Assert.Equal(("/images/left.mem", "/images/new.mem"), (_world.Catalog.Find("left").Memory.File, _world.Catalog.Find("new").Memory.File));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Create_revert_create_is_one_operation_with_both_in_place_R162()
    {
        await RunningAsync();
        var written = CrashPoints.Acknowledged(_world);
        var revision = _world.Catalog.Revision;
        await _world.RunAsync(Scenario.Branch("one", b => b with { Checkpoint = "left" }));
        Assert.Equal(revision + 1, _world.Catalog.Revision);
        Assert.Equal(_world.Catalog.Find("new").Id, _world.Catalog.Current);
        Assert.Equal(_world.Catalog.Find("inside").Id, _world.Catalog.Find("left").Parent);
        Assert.Empty(_world.Catalog.Tips);
        Inspection.CheckAll(_world);
        Assert.Equal(written, await ContentAsync("left"));
    }

    [Fact]
    public async Task The_memory_that_is_asked_for_governs_what_is_abandoned_R160()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Branch("one", b => b with { LeftMemory = new MemoryRequest(MemoryMode.External, "/images/t.mem") }));
        Assert.Equal("/images/t.mem", Assert.Single(_world.Catalog.Tips).Memory.File);
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Branch("one", b => b with { LeftMemory = new MemoryRequest(MemoryMode.None) }) with { Name = "next" });
        Assert.Single(_world.Catalog.Tips);
        var error = await HomeTests.FailAsync(() => _world.RunAsync(
            Scenario.Branch("one", b => b with { LeftMemory = new MemoryRequest(MemoryMode.Internal) }) with { Name = "last" }));
        Assert.Equal(ErrorKind.InvalidInput, error.Kind);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_says_how_a_snapshot_is_taken_is_refused_by_name_R155_R184()
    {
        await RunningAsync();
        var branch = new CreateSnapshot(Name) { Name = "b", Branch = new BranchRequest("one", IsCurrent: false) };
        (string Named, CreateSnapshot Request)[] wrong =
        [
            ("--live", branch with { Live = true }), ("--quiesce", branch with { Quiesce = true }), ("--halt", branch with { Halt = true }),
            ("--disk-only", branch with { DiskOnly = true }), ("--no-metadata", branch with { NoMetadata = true }),
            ("--memory", branch with { Memory = new MemoryRequest(MemoryMode.None) }),
            ("--memory", branch with { Memory = new MemoryRequest(MemoryMode.External, "/dev/null") }),
            ("--memory", branch with { Memory = new MemoryRequest(MemoryMode.External), Branch = new BranchRequest("off", IsCurrent: false) }),
            ("--disk", branch with { Disks = [new("vda", DiskMode.None)] }),
            ("--checkpoint", branch with { Branch = branch.Branch! with { Checkpoint = "left" } }),
        ];
        foreach (var (named, request) in wrong)
        {
            var error = await HomeTests.FailAsync(() => _world.RunAsync(request));
            Assert.Equal(ErrorKind.InvalidInput, error.Kind);
            Assert.StartsWith($"{named} ", error.Subject, StringComparison.Ordinal);
        }

        Assert.Equal(ErrorKind.NotFound, (await HomeTests.FailAsync(() => _world.RunAsync(
            branch with { Branch = new BranchRequest("uno", IsCurrent: false) }))).Kind);
        Assert.Equal(ErrorKind.AlreadyExists, (await HomeTests.FailAsync(() => _world.RunAsync(branch with { Name = "off" }))).Kind);
        Assert.Equal(ErrorKind.AlreadyExists, (await HomeTests.FailAsync(() => _world.RunAsync(
            Scenario.Branch("one", b => b with { Checkpoint = "new" })))).Kind);
    }

    [Fact]
    public void A_document_names_the_snapshot_in_its_branch_element_R153()
    {
        const string Xml = "<domainsnapshot><name>b</name><branch>one</branch><memory snapshot='no'/></domainsnapshot>";
        SnapshotXml.Validate(Xml);
        var request = SnapshotXml.Parse(Xml, SnapshotParseMode.Create).ToRequest(Name);
        Assert.Equal(new BranchRequest("one", IsCurrent: false), request.Branch);
        Assert.Throws<CoppiceException>(() => SnapshotXml.Parse(Xml.Replace("one", "a/b", StringComparison.Ordinal), SnapshotParseMode.Create));
        Assert.Contains("<branch>", Assert.Throws<CoppiceException>(() => SnapshotXml.Parse(Xml, SnapshotParseMode.Redefine)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_inside_an_image_stays_with_the_branch_that_has_it_whichever_way_its_parent_goes()
    {
        await RunningAsync();
        var at = await ContentAsync("inside");
        await BranchAsync("inside", "b");
        await _world.RunAsync(new DeleteSnapshot(Name, "b", metadataOnly: false));
        Assert.Equal(at, await ContentAsync("inside"));
        await BranchAsync("inside", "c");
        var forgotten = await _world.RunAsync(new DeleteSnapshot(Name, "inside", metadataOnly: true));
        Assert.DoesNotContain(forgotten.Plan.Warnings, w => w.StartsWith("internal snapshot ", StringComparison.Ordinal));
        Inspection.CheckAll(_world);
        Assert.Equal(at, await ContentAsync("c"));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Descendants_go_only_where_that_is_asked_for_with_their_layers_and_memory_R149()
    {
        await RunningAsync();
        await _world.RunAsync(Scenario.Revert("off"));
        await _world.RunAsync(new StartDomain(Name, Paused: false));
        await _world.SnapshotAsync("elsewhere");
        await _world.RunAsync(Scenario.Revert("one"));
        await _world.RunAsync(Scenario.Revert("elsewhere"));
        var tips = _world.Catalog.Tips.Length;
        var result = await _world.RunAsync(Scenario.Revert("one") with { DiscardDescendants = true });
        Assert.Equal(["elsewhere", "off", "one"], _world.Catalog.Snapshots.Values.Select(s => s.Name).Order());
        Assert.Contains(result.Plan.Warnings, w => w.StartsWith("snapshot 'inside' goes", StringComparison.Ordinal));
        Assert.True(_world.Catalog.Tips.Length < tips + 1);
        Assert.Equal(_world.Catalog.Find("elsewhere").Id, _world.Catalog.Tips[^1].Current);
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Tips_that_go_with_descendants_take_no_places_of_those_that_are_kept()
    {
        await RunningAsync();
        foreach (var snapshot in new[] { "off", "one", "off", "one", "inside" })
        {
            _world.Host.Tick();
            await _world.RunAsync(Scenario.Revert(snapshot) with { State = RevertState.Running });
        }

        await _world.RunAsync(new KeepTips(Name, new TipRetention(2, null)));
        var of = _world.Catalog.Tips.ToLookup(t => t.Current);
        var (off, one) = (of[_world.Catalog.Find("off").Id].ToArray(), of[_world.Catalog.Find("one").Id].ToArray());
        Assert.Equal((2, one[^1].Id), (off.Length, _world.Catalog.Tips[^1].Id));
        await _world.RunAsync(Scenario.Revert("off") with { State = RevertState.Running, DiscardCurrent = true });
        await _world.RunAsync(Scenario.Revert("one") with { State = RevertState.Running, DiscardDescendants = true });
        Assert.Equal([off[^1].Id], _world.Catalog.Tips.SkipLast(1).Select(t => t.Id));
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task What_is_now_goes_with_descendants_by_name_if_it_is_one_of_them()
    {
        await RunningAsync();
        var result = await _world.RunAsync(Scenario.Revert("one") with { DiscardDescendants = true });
        Assert.Contains(
            result.Plan.Warnings,
            w => w.StartsWith("what domain 'web' has done since snapshot 'inside' goes", StringComparison.Ordinal));
        await _world.RunAsync(Scenario.Revert("off") with { State = RevertState.Running });
        result = await _world.RunAsync(Scenario.Revert("one") with { DiscardDescendants = true });
        Assert.DoesNotContain(result.Plan.Warnings, w => w.StartsWith("what ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Discarding_a_branch_whose_parent_is_gone_is_refused_while_a_snapshot_builds_on_what_it_has()
    {
        await RunningAsync();
        await BranchAsync("one", "b");
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false));
        await _world.RunAsync(Scenario.Revert("b") with { State = RevertState.Running });
        _world.Host.Tick();
        await _world.SnapshotAsync("c");
        await _world.RunAsync(Scenario.Revert("off"));
        var discard = new DeleteSnapshot(Name, "b", metadataOnly: false) { Mode = DeleteMode.Discard };
        var error = await HomeTests.FailAsync(() => _world.RunAsync(discard));
        Assert.Equal(ErrorKind.WouldLose, error.Kind);
        Assert.Contains("snapshot 'c'", error.Problem, StringComparison.Ordinal);
        await _world.RunAsync(discard with { Mode = DeleteMode.DiscardForce });
        Assert.DoesNotContain(_world.Catalog.Snapshots.Values, s => s.Name is "b" or "c");
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task Discarding_what_only_a_branch_was_made_of_loses_nothing_and_is_accepted()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("off");
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        await BranchAsync("one", "b");
        await _world.RunAsync(Scenario.Revert("off") with { DiscardCurrent = true });
        await _world.RunAsync(new DeleteSnapshot(Name, "one", metadataOnly: false) { Mode = DeleteMode.Discard });
        Assert.Equal(["b", "off"], _world.Catalog.Snapshots.Values.Select(s => s.Name).Order());
        Inspection.CheckAll(_world);
    }

    [Fact]
    public async Task A_snapshot_with_a_TPM_is_put_back_although_a_branch_has_what_that_kept()
    {
        await _world.RunAsync(new DefineDomain(World.Tpm()));
        await _world.SnapshotExternalAsync("one");
        await BranchAsync("one", "b");
        await _world.DumpAsync("one", d => d);
        await _world.ForgetAsync("one");
        await _world.RunAsync(new RedefineSnapshot(Name, _world.Dumped!, IsCurrent: false));
        Assert.Equal(_world.Catalog.Find("b").Tpm, _world.Catalog.Find("one").Tpm);
        await _world.RunAsync(Scenario.Revert("one"));
        Inspection.CheckAll(_world);
    }

    private Task<OperationResult> BranchAsync(string from, string name) =>
        _world.RunAsync(new CreateSnapshot(Name) { Name = name, Branch = new BranchRequest(from, IsCurrent: false) });

    /// <summary>The last number that a guest finds which goes on from a snapshot.</summary>
    private async Task<long> ContentAsync(string snapshot)
    {
        await _world.RunAsync(Scenario.Revert(snapshot) with { State = RevertState.Paused, DiscardCurrent = true });
        return _world.Host.State.Processes.Values.Single().Counter;
    }

    private async Task RunningAsync()
    {
        await _world.DefineAsync();
        await _world.SnapshotExternalAsync("off");
        await _world.StartAsync();
        await _world.SnapshotAsync("one");
        _world.Host.Tick();
        await _world.RunAsync(Scenario.Inside("inside", "vda"));
        _world.Host.Tick();
    }
}
