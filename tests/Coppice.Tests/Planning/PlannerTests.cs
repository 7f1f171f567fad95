using Coppice.Core;
using Coppice.Tests.Resolving;

namespace Coppice.Tests.Planning;

public sealed class PlannerTests
{
    private static readonly Scene s_running = new() { Capabilities = [Capability.ExternalMemory, Capability.OnlineExternalDiskOnly, Capability.OfflineExternalDisk] };
    private static readonly Scene s_off = s_running with { State = DomainState.Off, IsAlive = false };

    [Fact]
    public void A_checkpoint_of_a_running_domain_makes_overlays_first_and_switches_once_R133()
    {
        var model = new Model(s_running);
        var plan = model.Plan(new CreateSnapshot("web") { Name = "s1" });

        Assert.Equal(["paper.overlay", "paper.overlay"], plan.Prepare.Select(s => s.Kind));
        Assert.Equal("checkpoint aaaaaaaa External vda vdb", plan.Switch!.Summary);
        Assert.Empty(plan.CleanUp);
        Assert.NotNull(plan.RollForward);
    }

    [Fact]
    public void A_clock_is_set_right_after_the_guest_went_on_and_only_by_a_driver_that_can()
    {
        var model = new Model(s_running with { Capabilities = s_running.Capabilities.Add(Capability.GuestTime) });
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        var request = new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: false, Force: false) { SyncTime = true };
        var plan = model.Plan(request);
        Assert.Equal(["paper.take-over", "paper.set-guest-time", "paper.end"], plan.CleanUp.Select(s => s.Kind));
        Assert.EndsWith($"{plan.Commit!.Head.Process}", plan.CleanUp[1].Summary, StringComparison.Ordinal);

        model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        var error = Assert.Throws<CoppiceException>(() => model.Plan(request));
        Assert.Equal(ErrorKind.MissingCapability, error.Kind);
        Assert.Contains("GuestTime", error.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_id_in_the_name_of_a_layers_file_is_the_id_of_the_layer_R186()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        model.Run(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: false, Force: false));

        var made = model.Graph.All.Where(l => l.Origin is LayerOrigin.Coppice).ToArray();
        Assert.Equal(4, made.Length);
        Assert.All(made, l => Assert.EndsWith($".{l.Id}.qcow2", l.Path, StringComparison.Ordinal));
    }

    [Fact]
    public void A_snapshot_has_the_uuid_that_was_asked_for_R27()
    {
        var uuid = SnapshotId.Parse("6ec9a8b4-5b9a-4a14-9c3b-1f3f5a0f7a11");
        var xml = $"<domainsnapshot><name>s1</name><uuid>{uuid}</uuid><creationTime>7</creationTime><parent><name>p</name></parent></domainsnapshot>";
        var model = new Model(s_running);
        model.Run(SnapshotXml.Parse(xml, SnapshotParseMode.Create).ToRequest("web"));

        var snapshot = Assert.Single(model.Catalog.Snapshots.Values);
        Assert.Equal((uuid, "s1"), (snapshot.Id, snapshot.Name));

        // What the driver fills in is not the user's to say.
        Assert.Null(snapshot.Parent);
        Assert.NotEqual(7, snapshot.CreatedAt.ToUnixTimeSeconds());
    }

    [Fact]
    public void Editing_takes_no_name_that_leads_to_another_snapshot_and_no_text_that_XML_cannot_hold_R39()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "one" });
        model.Run(new CreateSnapshot("web") { Name = "two" });
        var (one, two) = (model.Catalog.Find("one"), model.Catalog.Find("two"));
        Assert.Equal(
            ErrorKind.AlreadyExists, Refused(new EditSnapshot("web", "one", $"{two.Id}".ToUpperInvariant(), null)));
        Assert.Equal(ErrorKind.AlreadyExists, Refused(new EditSnapshot("web", "one", "two", null)));
        Assert.Equal(ErrorKind.InvalidInput, Refused(new EditSnapshot("web", "one", "a\uFFFFb", null)));
        Assert.Equal(ErrorKind.InvalidInput, Refused(new EditSnapshot("web", "one", null, "a\u0001b")));
        model.Run(new EditSnapshot("web", "one", $"{one.Id}", "its own uuid leads to it anyway"));
        Assert.Equal(one.Id, model.Catalog.Find($"{one.Id}").Id);

        ErrorKind Refused(EditSnapshot edit) => Assert.Throws<CoppiceException>(() => model.Plan(edit)).Kind;
    }

    [Fact]
    public void A_checkpoint_of_memory_alone_has_nothing_to_roll_forward_to_R131()
    {
        var plan = new Model(s_running).Plan(new CreateSnapshot("web")
        {
            Memory = new MemoryRequest(MemoryMode.External),
            Disks = [new DiskRequest("vda", DiskMode.None), new DiskRequest("vdb", DiskMode.None)],
        });

        Assert.Empty(plan.Prepare);
        Assert.Equal("checkpoint aaaaaaaa External ", plan.Switch!.Summary);
        Assert.Null(plan.RollForward);
    }

    [Fact]
    public void An_offline_snapshot_needs_no_hypervisor_R113()
    {
        var plan = new Model(s_off).Plan(new CreateSnapshot("web") { Disks = [new DiskRequest("vda", DiskMode.External)] });

        Assert.Null(plan.Switch);
        Assert.Null(plan.RollForward);
        Assert.All(plan.Prepare, s => Assert.Equal("paper.overlay", s.Kind));
    }

    [Fact]
    public void Rolling_forward_moves_the_head_and_makes_no_reference()
    {
        var model = new Model(s_running);
        var plan = model.Plan(new CreateSnapshot("web"));
        model.Apply(plan.RollForward!, plan.Id, OperationEnd.RolledForward);

        Assert.Empty(model.Catalog.Snapshots);
        Assert.Equal(plan.Commit!.Head, model.Catalog.Head with { Disks = plan.Commit.Head.Disks });
        Assert.All(model.Catalog.Head.Disks, d => Assert.Equal(2, model.Graph.Chain(d.Layer).Length));
    }

    [Fact]
    public void A_running_revert_loads_the_new_process_before_it_leaves_the_old_and_ends_the_old_after_the_commit()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        var plan = model.Plan(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: false, Force: false));

        Assert.Equal(["overlay", "overlay", "launch"], plan.Prepare.Select(Verb));
        Assert.Equal("leave", Verb(plan.Switch!));
        Assert.Equal(["take-over", "end"], plan.CleanUp.Select(Verb));
        Assert.Single(plan.Commit!.PutTips);
        Assert.Equal(MemoryMode.External, plan.Commit.PutTips[0].Memory.Mode);
    }

    [Fact]
    public void A_revert_waits_for_the_end_of_a_process_that_writes_a_disk_which_took_no_part()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1", Disks = [new DiskRequest("vdb", DiskMode.None)] });
        var plan = model.Plan(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: true, Force: true));
        Assert.Equal(["end", "take-over"], plan.CleanUp.Select(Verb).Take(2));
    }

    [Fact]
    public void A_revert_that_discards_removes_the_layers_of_the_old_head_after_the_commit()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        var heads = model.Catalog.Head.Disks.Select(d => $"remove {model.Graph[d.Layer].Path}").Order().ToArray();
        var plan = model.Run(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: true, Force: false));

        Assert.Equal(heads, plan.CleanUp.Where(s => Verb(s) == "remove").Select(s => s.Summary).Order());
        Assert.Empty(model.Catalog.Tips);
        Assert.Empty(model.Graph.Unreached());
    }

    [Fact]
    public void Undoing_a_revert_twice_leads_back_to_it()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        var before = model.Catalog.Head.Disks;
        model.Run(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        var reverted = model.Catalog.Head.Disks;

        model.Run(new UndoRevert("web"));
        Assert.Equal(before.AsEnumerable(), model.Catalog.Head.Disks);
        model.Run(new UndoRevert("web"));
        Assert.Equal(reverted.AsEnumerable(), model.Catalog.Head.Disks);
        Assert.Single(model.Catalog.Tips);
    }

    [Fact]
    public void Undoing_never_writes_to_a_layer_that_was_frozen_since()
    {
        var model = new Model(s_off);
        model.Run(new CreateSnapshot("web") { Name = "a", Disks = [new DiskRequest("vda", DiskMode.External), new DiskRequest("vdb", DiskMode.None)] });
        model.Run(new RevertSnapshot("web", "a", RevertState.AsTaken, DiscardCurrent: false, Force: false));
        var shared = model.Catalog.Head.Disks.Single(d => d.Target == "vdb").Layer;
        model.Run(new CreateSnapshot("web") { Name = "b" });

        model.Run(new UndoRevert("web"));
        var undone = model.Catalog.Head.Disks.Single(d => d.Target == "vdb").Layer;
        Assert.NotEqual(shared, undone);
        Assert.Equal(shared, model.Graph[undone].Parent);
    }

    [Fact]
    public void The_memory_of_a_tip_is_loaded_over_a_disk_that_went_on_only_by_force_R180()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1", Disks = [new DiskRequest("vda", DiskMode.External), new DiskRequest("vdb", DiskMode.None)] });
        model.Run(new RevertSnapshot("web", "s1", RevertState.AsTaken, DiscardCurrent: false, Force: true));

        var refusal = Assert.Throws<CoppiceException>(() => model.Plan(new UndoRevert("web")));
        Assert.Equal(ErrorKind.WouldLose, refusal.Kind);
        Assert.NotNull(model.Plan(new UndoRevert("web", Force: true)).Switch);
    }

    [Fact]
    public void Memory_over_an_excluded_disk_is_loaded_only_by_force_R180()
    {
        var model = new Model(s_running);
        model.Run(new CreateSnapshot("web") { Name = "s1", Disks = [new DiskRequest("vda", DiskMode.External), new DiskRequest("vdb", DiskMode.None)] });

        var refusal = Assert.Throws<CoppiceException>(() => model.Plan(new RevertSnapshot("web", "s1", RevertState.AsTaken, false, Force: false)));
        Assert.Equal(ErrorKind.WouldLose, refusal.Kind);
        Assert.Contains("vdb", refusal.Message, StringComparison.Ordinal);
        Assert.NotNull(model.Plan(new RevertSnapshot("web", "s1", RevertState.AsTaken, false, Force: true)).Switch);
    }

    [Fact]
    public void Memory_goes_over_an_excluded_disk_that_nobody_has_written_since_R131()
    {
        var model = new Model(s_running) { WrittenAt = DateTimeOffset.UnixEpoch };
        model.Run(new CreateSnapshot("web") { Name = "s1", Disks = [new DiskRequest("vda", DiskMode.External), new DiskRequest("vdb", DiskMode.None)] });

        Assert.Throws<CoppiceException>(() => model.Plan(new RevertSnapshot("web", "s1", RevertState.AsTaken, false, Force: false)));
        model.Run(new KillDomain("web"));
        Assert.NotEmpty(model.Plan(new RevertSnapshot("web", "s1", RevertState.AsTaken, false, Force: false)).Prepare);
    }

    [Fact]
    public void Deleting_the_current_leaf_keeps_the_layer_that_the_head_builds_on()
    {
        var model = new Model(s_off);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        model.Run(new CreateSnapshot("web") { Name = "s2" });
        var chains = model.Catalog.Head.Disks.Select(d => model.Graph.Chain(d.Layer).Length).ToArray();
        var plan = model.Run(new DeleteSnapshot("web", "s2", metadataOnly: false));

        Assert.Equal(chains, model.Catalog.Head.Disks.Select(d => model.Graph.Chain(d.Layer).Length));
        Assert.Equal("s1", model.Catalog.Snapshots[model.Catalog.Current!.Value].Name);
        Assert.Empty(plan.CleanUp);
        Assert.NotEmpty(plan.Warnings);
    }

    [Fact]
    public void Deleting_a_snapshot_with_children_needs_a_capability_that_is_named()
    {
        var model = new Model(s_off);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        model.Run(new CreateSnapshot("web") { Name = "s2" });

        var refusal = Assert.Throws<CoppiceException>(() => model.Plan(new DeleteSnapshot("web", "s1", metadataOnly: false)));
        Assert.Equal(ErrorKind.MissingCapability, refusal.Kind);
        Assert.Contains(nameof(Capability.MergeLayers), refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forgetting_a_snapshot_with_children_hands_them_to_its_parent_and_removes_no_file()
    {
        var model = new Model(s_off);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        model.Run(new CreateSnapshot("web") { Name = "s2" });
        model.Run(new CreateSnapshot("web") { Name = "s3" });
        var plan = model.Run(new DeleteSnapshot("web", "s2", metadataOnly: true));

        Assert.Empty(plan.CleanUp);
        Assert.Equal(model.Catalog.Find("s1").Id, model.Catalog.Find("s3").Parent);
    }

    [Fact]
    public void A_name_that_is_taken_is_refused_by_rename_R9()
    {
        var model = new Model(s_off);
        model.Run(new CreateSnapshot("web") { Name = "s1" });
        model.Run(new CreateSnapshot("web") { Name = "s2" });

        Assert.Equal(
            ErrorKind.AlreadyExists,
            Assert.Throws<CoppiceException>(() => model.Plan(new EditSnapshot("web", "s1", "s2", null))).Kind);
        Assert.Equal("s2", model.Run(new EditSnapshot("web", "s2", "s2", "same name")).Commit!.Put[0].Name);
    }

    [Theory]
    [InlineData(typeof(KillDomain))]
    [InlineData(typeof(PauseDomain))]
    [InlineData(typeof(ResumeDomain))]
    [InlineData(typeof(RebootDomain))]
    [InlineData(typeof(ResetDomain))]
    [InlineData(typeof(DiscardSavedMemory))]
    public void A_domain_that_is_off_cannot_be_steered(Type request) => Assert.Equal(
        ErrorKind.WrongState,
        Assert.Throws<CoppiceException>(() => new Model(s_off).Plan((DomainRequest)Activator.CreateInstance(request, "web")!)).Kind);

    [Fact]
    public void A_memory_image_that_does_not_fit_is_refused_before_anything_is_touched()
    {
        var observed = new Model(s_running).Observed;
        observed = observed with { Hypervisor = observed.Hypervisor with { MemoryEstimate = new ByteCount(1 << 30) } };
        var drivers = new PaperDrivers();

        var refusal = Assert.Throws<CoppiceException>(() => Planner.Plan(new CreateSnapshot("web"), observed, drivers, drivers));
        Assert.Equal(ErrorKind.Storage, refusal.Kind);
    }

    private static string Verb(Step step) => step.Kind["paper.".Length..];

    [Fact]
    public void An_internal_snapshot_that_had_to_stay_goes_with_the_image_that_holds_it()
    {
        var model = WithOneThatHadToStay();
        model.Run(new DeleteSnapshot("web", ["top", "summit"]));
        Assert.Single(model.Graph.All, l => l.Inside is not null);

        model.Run(new RevertSnapshot("web", "base", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        Assert.DoesNotContain(model.Graph.All, l => l.Inside is not null);
        Assert.All(model.Graph.All, l => model.Graph.Chain(l.Id));
    }

    [Fact]
    public void An_internal_snapshot_that_had_to_stay_is_forgotten_with_the_image_that_holds_it()
    {
        var model = WithOneThatHadToStay();
        model.Run(new RevertSnapshot("web", "base", RevertState.AsTaken, DiscardCurrent: true, Force: false));
        Assert.Single(model.Graph.All, l => l.Inside is not null);

        var plan = model.Run(new DeleteSnapshot("web", ["top", "summit"]) { Mode = DeleteMode.MetadataOnly });
        Assert.DoesNotContain(model.Graph.All, l => l.Inside is not null);
        Assert.Empty(plan.CleanUp);
        Assert.NotEmpty(model.Run(new RevertSnapshot("web", "base", RevertState.AsTaken, DiscardCurrent: true, Force: false)).Prepare);
    }

    /// <summary>The image that it is in is built upon, and kept by snapshots that were taken on it.</summary>
    private static Model WithOneThatHadToStay()
    {
        var model = new Model(s_off with { Capabilities = Scene.Everything });
        Snapshot("base", DiskMode.External);
        Snapshot("inside", DiskMode.Internal);
        Snapshot("top", DiskMode.External);
        Snapshot("summit", DiskMode.External);
        model.Run(new DeleteSnapshot("web", "inside", metadataOnly: false));
        return model;

        void Snapshot(string name, DiskMode mode) => model.Run(new CreateSnapshot("web")
        {
            Name = name, Disks = [new DiskRequest("vda", mode), new DiskRequest("vdb", DiskMode.None)],
        });
    }
}
