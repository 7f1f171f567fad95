using Coppice.Core;

namespace Coppice.Tests.Resolving;

public sealed class ResolverTests
{
    private static readonly CreateSnapshot s_empty = new("web");
    private static readonly FirmwareSettings s_firmware = new() { Code = "/fw/code.fd", Variables = "/var/web.fd" };

    [Theory]
    [InlineData(DiskMode.Internal, MemoryMode.Internal)]
    [InlineData(DiskMode.External, MemoryMode.External)]
    [InlineData(DiskMode.None, MemoryMode.External)]
    public void The_firmwares_variables_move_to_a_layer_of_their_own_whatever_the_disks_do(DiskMode disks, MemoryMode memory)
    {
        var scene = new Scene { Firmware = s_firmware };
        var resolved = scene.Resolve(s_empty with
        {
            Memory = new MemoryRequest(memory), Disks = [new DiskRequest("vda", disks), new DiskRequest("vdb", disks)],
        });
        Assert.Equal([disks, disks, DiskMode.External], resolved.Disks.Select(d => d.Mode));
        Assert.Equal("nvram", resolved.Disks[^1].Target);
        Assert.StartsWith("/home/domains/00000000-0000-0000-0000-000000000000/images/nvram/nvram.", resolved.Disks[^1].File, StringComparison.Ordinal);
        Assert.Equal(memory is MemoryMode.Internal ? "vda" : null, resolved.Memory.Disk);
        Assert.Equal(new Scene().Resolve(s_empty with { Memory = new MemoryRequest(memory) , Disks = [new DiskRequest("vda", disks), new DiskRequest("vdb", disks)] }).Rule, resolved.Rule);
    }

    [Fact]
    public void The_firmwares_variables_are_no_disk_that_one_can_ask_about()
    {
        var scene = new Scene { Firmware = s_firmware with { VariablesFormat = ImageFormat.Qcow2 } };
        AssertRefused(
            ErrorKind.NotFound, "disk 'nvram'", () => scene.Resolve(s_empty with { Disks = [new DiskRequest("nvram", DiskMode.None)] }));
        AssertRefused(ErrorKind.InvalidInput, "nothing to snapshot", () => scene.Resolve(s_empty with
        {
            Memory = new MemoryRequest(MemoryMode.None), Disks = [new DiskRequest("vda", DiskMode.None), new DiskRequest("vdb", DiskMode.None)],
        }));
        AssertRefused(ErrorKind.InvalidInput, "'nvram' cannot hold it", () => scene.Resolve(
            s_empty with { Memory = new MemoryRequest(MemoryMode.Internal, Disk: "nvram") }));
    }

    [Fact]
    public void A_name_is_made_of_the_time_and_the_next_free_suffix()
    {
        Assert.Equal("1700000000", new Scene().Resolve(s_empty).Name);
        Assert.Equal(
            "1700000000-3",
            new Scene { Snapshots = [Scene.Snapshot("1700000000"), Scene.Snapshot("1700000000-2")] }.Resolve(s_empty).Name);
    }

    [Fact]
    public void A_taken_name_is_refused_and_so_is_the_uuid_of_another_snapshot()
    {
        var scene = new Scene { Snapshots = [Scene.Snapshot("before")] };

        AssertRefused(ErrorKind.AlreadyExists, "'before'", () => scene.Resolve(s_empty with { Name = "before" }));
        var uuid = scene.Snapshots[0].Id.ToString();
        AssertRefused(ErrorKind.AlreadyExists, "it is the uuid of 'before'", () => scene.Resolve(s_empty with { Name = uuid }));
        AssertRefused(
            ErrorKind.AlreadyExists, "it is the uuid of 'before'", () => scene.Resolve(s_empty with { Name = uuid.ToUpperInvariant() }));
    }

    [Fact]
    public void A_uuid_that_was_given_is_kept_and_one_that_leads_to_another_snapshot_is_refused_R27_R39()
    {
        var mine = SnapshotId.Parse("6ec9a8b4-5b9a-4a14-9c3b-1f3f5a0f7a11");
        Assert.Equal(mine, new Scene().Resolve(s_empty with { Id = mine }).Id);
        Assert.NotEqual(default, new Scene().Resolve(s_empty).Id);

        var taken = new Scene { Snapshots = [Scene.Snapshot("before")] };
        AssertRefused(
            ErrorKind.AlreadyExists, "leads to snapshot 'before'", () => taken.Resolve(s_empty with { Id = taken.Snapshots[0].Id }));
        var named = new Scene { Snapshots = [Scene.Snapshot("x") with { Name = mine.ToString() }] };
        AssertRefused(ErrorKind.AlreadyExists, "leads to snapshot", () => named.Resolve(s_empty with { Id = mine }));
    }

    [Theory]
    [InlineData("a/b")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("two\nlines")]
    [InlineData("not\uFFFEXML")]
    [InlineData("not\uFFFFXML")]
    [InlineData("half\uD83D")]
    [InlineData("\uDF33half")]
    [InlineData("")]
    public void A_name_that_cannot_be_shown_or_stored_is_refused(string name) =>
        AssertRefused(ErrorKind.InvalidInput, "name", () => new Scene().Resolve(s_empty with { Name = name }));

    [Fact]
    public void A_description_that_XML_cannot_hold_is_refused()
    {
        AssertRefused(ErrorKind.InvalidInput, "description", () => new Scene().Resolve(s_empty with { Description = "a\u0001" }));
        AssertRefused(ErrorKind.InvalidInput, "description", () => new Scene().Resolve(s_empty with { Description = "\uD83D" }));
        Assert.Equal("ok \U0001F333\n", new Scene().Resolve(s_empty with { Description = "ok \U0001F333\n" }).Description);
    }

    [Fact]
    public void Files_that_were_not_given_get_names_of_their_own()
    {
        var resolved = new Scene().Resolve(s_empty with { Name = "a snapshot: ü", Memory = new MemoryRequest(MemoryMode.External) });

        Assert.Equal("/home/domains/00000000-0000-0000-0000-000000000000/memory/01010101.mem", resolved.Memory.File);
        Assert.Equal("/home/domains/00000000-0000-0000-0000-000000000000/images/vda/vda.a_snapshot___.02020202.qcow2", resolved.Disks[0].File);
        Assert.Equal(new ShortId("02020202"), resolved.Disks[0].Overlay!.Id);
        Assert.Equal(LayerOrigin.Coppice, resolved.Memory.Origin);
    }

    [Fact]
    public void A_long_name_is_cut_within_the_file_name()
    {
        var resolved = new Scene().Resolve(s_empty with { Name = new string('x', 200), Memory = new MemoryRequest(MemoryMode.External) });

        Assert.EndsWith($"/vda.{new string('x', 64)}.02020202.qcow2", resolved.Disks[0].File);
    }

    [Theory]
    [InlineData("relative.qcow2", "absolute")]
    [InlineData("/a/../b.qcow2", "parts")]
    [InlineData("/a//b.qcow2", "parts")]
    [InlineData("/a/", "folder")]
    [InlineData("/a\nb", "control")]
    public void A_file_has_to_be_given_in_full(string file, string problem)
    {
        AssertRefused(ErrorKind.InvalidInput, problem, () => new Scene().Resolve(Disk("vda", DiskMode.External, file)));
        AssertRefused(
            ErrorKind.InvalidInput, problem, () => new Scene().Resolve(s_empty with { Memory = new MemoryRequest(MemoryMode.External, file) }));
    }

    [Fact]
    public void A_file_in_use_is_refused()
    {
        var memory = new MemoryImage { Mode = MemoryMode.External, File = "/kept.mem" };
        var scene = new Scene { Snapshots = [Scene.Snapshot("one", memory)] };

        AssertRefused(ErrorKind.AlreadyExists, "layer of disk 'vdb'", () => scene.Resolve(Disk("vda", DiskMode.External, "/images/vdb.img")));
        AssertRefused(ErrorKind.AlreadyExists, "memory image", () => scene.Resolve(Disk("vda", DiskMode.External, "/kept.mem")));
        AssertRefused(ErrorKind.AlreadyExists, "memory image", () => scene.Resolve(Disk("vda", DiskMode.External, "/new") with
        {
            Memory = new MemoryRequest(MemoryMode.External, "/new"),
        }));
    }

    [Fact]
    public void A_device_that_takes_the_memory_belongs_to_the_user() => Assert.Equal(
        LayerOrigin.User,
        new Scene().Resolve(s_empty with { Memory = new MemoryRequest(MemoryMode.External, "/dev/vg/memory") }).Memory.Origin);

    [Fact]
    public void A_disk_can_be_named_by_its_image_and_only_once()
    {
        Assert.Equal(DiskMode.None, new Scene().Resolve(Disk("/images/vdb.img", DiskMode.None)).Disks[1].Mode);
        AssertRefused(ErrorKind.InvalidInput, "twice", () => new Scene().Resolve(s_empty with
        {
            Disks = [new DiskRequest("vdb", DiskMode.None), new DiskRequest("/images/vdb.img", DiskMode.None)],
        }));
    }

    [Fact]
    public void An_unknown_disk_is_refused_with_the_known_ones() =>
        AssertRefused(ErrorKind.NotFound, "its disks are vda, vdb", () => new Scene().Resolve(Disk("vdz", DiskMode.None)));

    [Fact]
    public void A_file_alone_means_external_and_beside_another_mode_is_refused()
    {
        Assert.Equal("/new.qcow2", new Scene().Resolve(Disk("vda", null, "/new.qcow2")).Disks[0].File);
        AssertRefused(ErrorKind.InvalidInput, "not external", () => new Scene().Resolve(Disk("vda", DiskMode.Internal, "/new.qcow2")));
        AssertRefused(ErrorKind.InvalidInput, "not external", () => new Scene().Resolve(s_empty with
        {
            Memory = new MemoryRequest(MemoryMode.Internal, "/memory"),
        }));
    }

    [Fact]
    public void Only_qcow2_overlays_are_made() => AssertRefused(
        ErrorKind.MissingCapability, "OtherOverlayFormats",
        () => new Scene().Resolve(s_empty with { Disks = [new DiskRequest("vda", DiskMode.External, null, "qed")] }));

    [Fact]
    public void What_cannot_be_written_takes_no_part_and_is_refused_when_asked_for()
    {
        var scene = new Scene { Disks = [Scene.Vda, Scene.Fixed, Scene.Cdrom] };

        Assert.Equal([DiskMode.Internal, DiskMode.None, DiskMode.None], scene.Resolve(s_empty).Disks.Select(d => d.Mode));
        Assert.Equal(DiskMode.None, scene.Resolve(Disk("sda", DiskMode.None)).Disks[2].Mode);
        AssertRefused(ErrorKind.InvalidInput, "vdd", () => scene.Resolve(Disk("vdd", DiskMode.External)));
        AssertRefused(ErrorKind.InvalidInput, "sda", () => scene.Resolve(Disk("sda", DiskMode.Internal)));
    }

    [Fact]
    public void The_definition_decides_about_a_disk_of_which_nothing_was_said()
    {
        var scene = new Scene { Disks = [Scene.Vda with { Snapshot = DiskMode.None }, Scene.Vdb with { Snapshot = DiskMode.External }] };

        Assert.Equal([DiskMode.None, DiskMode.External], scene.Resolve(s_empty).Disks.Select(d => d.Mode));
        Assert.Equal([DiskMode.External, DiskMode.External], scene.Resolve(Disk("vda", DiskMode.External)).Disks.Select(d => d.Mode));
        AssertRefused(ErrorKind.InvalidInput, "nothing to snapshot", () =>
            new Scene { State = DomainState.Off, Disks = [Scene.Vda with { Snapshot = DiskMode.None }] }.Resolve(s_empty));
    }

    [Fact]
    public void A_raw_disk_becomes_external_and_is_refused_inside_its_image()
    {
        var scene = new Scene { State = DomainState.Off, Disks = [Scene.Vda, Scene.Raw] };

        Assert.Equal([DiskMode.Internal, DiskMode.External], scene.Resolve(s_empty).Disks.Select(d => d.Mode));
        Assert.Equal(
            [DiskMode.External, DiskMode.External],
            (scene with { Capabilities = Scene.Everything.Remove(Capability.MixedDisks) }).Resolve(s_empty).Disks.Select(d => d.Mode));
        AssertRefused(ErrorKind.InvalidInput, "raw", () => scene.Resolve(Disk("vdc", DiskMode.Internal)));
    }

    [Fact]
    public void Internal_memory_goes_to_the_disk_that_was_named_or_to_one_that_can_hold_it()
    {
        var scene = new Scene { Disks = [Scene.Raw, Scene.Vda, Scene.Vdb] };
        var asked = InDisk(null);

        Assert.Equal("vda", scene.Resolve(asked).Memory.Disk);
        Assert.Equal("vdb", scene.Resolve(InDisk("vdb")).Memory.Disk);
        Assert.Equal("vdb", scene.Resolve(asked with { Disks = [new DiskRequest("vda", DiskMode.None)] }).Memory.Disk);
        AssertRefused(ErrorKind.NotFound, "'vdz'", () => scene.Resolve(InDisk("vdz")));
        AssertRefused(ErrorKind.InvalidInput, "'vdc'", () => scene.Resolve(InDisk("vdc")));
        AssertRefused(ErrorKind.InvalidInput, "hold the memory", () => new Scene { Disks = [Scene.Raw] }.Resolve(asked));
        Assert.Equal(MemoryMode.External, new Scene { Disks = [Scene.Raw] }.Resolve(s_empty).Memory.Mode);

        static CreateSnapshot InDisk(string? disk) => s_empty with { Memory = new MemoryRequest(MemoryMode.Internal, Disk: disk) };
    }

    [Fact]
    public void A_saved_domain_needs_the_capability_for_it() => AssertRefused(
        ErrorKind.MissingCapability, "SavedDomain",
        () => new Scene { State = DomainState.Saved, Capabilities = Scene.Everything.Remove(Capability.SavedDomain) }.Resolve(s_empty));

    [Fact]
    public void A_crashed_guest_without_a_process_is_off()
    {
        var resolved = new Scene { State = DomainState.Crashed, IsAlive = false }.Resolve(s_empty);

        Assert.Equal((DomainState.Off, MemoryMode.None), (resolved.State, resolved.Memory.Mode));
    }

    [Fact]
    public void Live_is_about_memory_in_a_file_of_a_guest_that_runs()
    {
        var live = s_empty with { Live = true };

        Assert.True(new Scene().Resolve(live) is { Live: true, Memory.Mode: MemoryMode.External });
        Assert.False(new Scene { State = DomainState.Paused }.Resolve(live).Live);
        AssertRefused(ErrorKind.InvalidInput, "live", () => new Scene().Resolve(live with { DiskOnly = true }));
        AssertRefused(ErrorKind.InvalidInput, "live", () => new Scene().Resolve(live with { Memory = new MemoryRequest(MemoryMode.Internal) }));
        AssertRefused(ErrorKind.WrongState, "live", () => new Scene { State = DomainState.Off }.Resolve(live));
        AssertRefused(ErrorKind.WrongState, "live", () => new Scene { State = DomainState.Saved }.Resolve(live));
        AssertRefused(ErrorKind.MissingCapability, "LiveMemory", () =>
            new Scene { Capabilities = Scene.Everything.Remove(Capability.LiveMemory) }.Resolve(live));
    }

    [Fact]
    public void Quiesce_is_about_disks_of_a_guest_that_runs()
    {
        var quiesce = s_empty with { Quiesce = true };

        Assert.True(new Scene().Resolve(quiesce with { DiskOnly = true }).Quiesce);
        AssertRefused(ErrorKind.InvalidInput, "quiesce", () => new Scene().Resolve(quiesce));
        AssertRefused(ErrorKind.InvalidInput, "quiesce", () =>
            new Scene().Resolve(Disk("vda", DiskMode.Manual) with { Quiesce = true, DiskOnly = true }));
        AssertRefused(ErrorKind.WrongState, "quiesce", () => new Scene { State = DomainState.Paused }.Resolve(quiesce with { DiskOnly = true }));
        AssertRefused(ErrorKind.MissingCapability, "Quiesce", () =>
            new Scene { Capabilities = Scene.Everything.Remove(Capability.Quiesce) }.Resolve(quiesce with { DiskOnly = true }));
    }

    [Fact]
    public void Halt_has_nothing_left_to_do_for_a_domain_that_is_off()
    {
        Assert.True(new Scene().Resolve(s_empty with { Halt = true }).Halt);
        Assert.False(new Scene { State = DomainState.Off }.Resolve(s_empty with { Halt = true }).Halt);
    }

    [Fact]
    public void A_chain_does_not_grow_beyond_its_maximum()
    {
        var external = s_empty with { Memory = new MemoryRequest(MemoryMode.External) };

        Assert.NotNull(new Scene { ChainDepth = LayerGraph.MaximumDepth - 1 }.Resolve(external).Disks[0].File);
        AssertRefused(ErrorKind.WrongState, "64 layers", () => new Scene { ChainDepth = LayerGraph.MaximumDepth }.Resolve(external));
        Assert.Equal(DiskMode.Internal, new Scene { ChainDepth = LayerGraph.MaximumDepth }.Resolve(s_empty).Disks[0].Mode);
    }

    private static CreateSnapshot Disk(string target, DiskMode? mode, string? file = null) =>
        s_empty with { Disks = [new DiskRequest(target, mode, file)] };

    private static void AssertRefused(ErrorKind kind, string part, Action action)
    {
        var error = Assert.Throws<CoppiceException>(action);
        Assert.Equal(kind, error.Kind);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
        Assert.NotEmpty(error.NextStep);
    }
}
