using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>A domain with its snapshots goes elsewhere in a folder (ADR 30). Its images and memory are fakes here.</summary>
public sealed class ExportTests
{
    private const string Copy = "copy";

    [Fact]
    public async Task A_domain_that_is_off_goes_as_it_is_with_its_snapshots_and_tips()
    {
        using var world = new World();
        await WithTreeAsync(world);
        await world.RunAsync(new KillDomain(World.Name));
        var old = Contents(world, world.Catalog);
        Assert.NotEmpty(world.Catalog.Tips);

        await world.RunAsync(Export(world));
        await world.RunAsync(Import(world));
        var (_, copy) = world.Fork(Copy);
        Assert.Equal(old, Contents(world, copy));
        Assert.Empty(copy.Snapshots.Keys.Intersect(world.Catalog.Snapshots.Keys));
        Assert.All(LayerGraph.Of(copy).All, l => Assert.Equal(LayerOrigin.Coppice, l.Origin));
        Inspection.CheckAll(world);
    }

    [Fact]
    public async Task Of_a_guest_that_runs_only_what_is_frozen_goes_and_the_copy_goes_on_from_its_current_snapshot()
    {
        using var world = new World();
        await WithTreeAsync(world);
        var result = await world.RunAsync(Export(world));
        Assert.Contains(result.Plan.Warnings, w => w.Contains("what it is now is not in the folder", StringComparison.Ordinal));
        world.Host.Tick();
        var imported = await world.RunAsync(Import(world));
        Assert.Contains(imported.Plan.Warnings, w => w.Contains("of a stranger boot it: coppice start copy --anew", StringComparison.Ordinal));
        var (folder, copy) = world.Fork(Copy);
        Assert.Equal("two", copy.Snapshots[copy.Current!.Value].Name);
        Assert.NotNull(copy.Head.Saved);

        await world.RunAsync(new StartDomain(Copy, Paused: false));
        world.Host.Tick();
        Inspection.CheckAll(world);
        await world.RunAsync(new KillDomain(Copy));
        await world.RunAsync(new UndefineDomain(Copy, Snapshots: true));
        Assert.False(Directory.Exists(folder.Path));
        Inspection.CheckAll(world);
    }

    [Fact]
    public async Task What_is_kept_inside_images_goes_with_them_and_is_copied_out_where_a_domain_begins_on_it()
    {
        using var world = new World();
        await world.DefineAsync();
        await world.StartAsync();
        await world.RunAsync(Scenario.Inside("inside", "vda"));
        world.Host.Tick();
        await world.RunAsync(new KillDomain(World.Name));
        var old = Contents(world, world.Catalog);
        await world.RunAsync(Export(world));
        await world.RunAsync(Import(world));
        Assert.Equal(old, Contents(world, world.Fork(Copy).Catalog));
        Inspection.CheckAll(world);
    }

    [Fact]
    public async Task An_image_that_a_guest_writes_is_not_copied_for_what_is_inside_it()
    {
        using var world = new World();
        await world.DefineAsync();
        await world.StartAsync();
        await world.RunAsync(Scenario.Inside("inside", "vda"));
        var error = await HomeTests.FailAsync(() => world.RunAsync(Export(world)));
        Assert.Equal(ErrorKind.WrongState, error.Kind);
        Assert.Contains("which the guest is writing", error.Message, StringComparison.Ordinal);
        Assert.Contains("--disk vda=external", error.NextStep, StringComparison.Ordinal);

        // That way out is one.
        await world.SnapshotAsync("outside");
        await world.RunAsync(Export(world));
        await world.RunAsync(Import(world));
        Assert.Equal(["inside", "outside"], world.Fork(Copy).Catalog.Snapshots.Values.Select(s => s.Name).Order());
    }

    [Fact]
    public async Task One_snapshot_goes_alone_and_is_a_root_there()
    {
        using var world = new World();
        await WithTreeAsync(world);
        await world.RunAsync(Export(world) with { Snapshots = ["two"] });
        await world.RunAsync(Import(world));
        var copy = world.Fork(Copy).Catalog;
        var only = Assert.Single(copy.Snapshots.Values);
        Assert.Equal(("two", null), (only.Name, only.Parent));
        Assert.Empty(copy.Tips);
        Inspection.CheckAll(world);
    }

    [Fact]
    public async Task A_TPM_goes_along_and_the_head_has_its_own()
    {
        using var world = new World();
        await world.RunAsync(new DefineDomain(World.Tpm()));
        await world.StartAsync();
        await world.SnapshotAsync("one");
        await world.RunAsync(Export(world));
        world.Host.Tick();
        await world.RunAsync(Import(world));
        var (_, copy) = world.Fork(Copy);
        Assert.NotEqual(copy.Head.Tpm, copy.Snapshots.Values.Single().Tpm);
        await world.RunAsync(new StartDomain(Copy, Paused: false));
        world.Host.Tick();
        Inspection.CheckAll(world);
    }

    [Fact]
    public async Task Its_identity_is_new_unless_it_moves()
    {
        using var world = new World();
        await world.RunAsync(new DefineDomain(World.Definition() with
        {
            GenerationId = new Guid("11111111-2222-3333-4444-555555555555"), Emulator = "/opt/evil",
            Devices = [.. World.Definition().Devices, new NetworkDevice { Mac = "52:54:00:00:00:01" }],
        }));
        await world.SnapshotExternalAsync("one");
        await world.RunAsync(new CreateSnapshot(World.Name) { Name = "two", Disks = [.. Scenario.External("vda", "vdb")] });
        await world.RunAsync(Export(world));
        var imported = await world.RunAsync(Import(world));
        Assert.Contains(imported.Plan.Warnings, w => w.Contains("/opt/evil", StringComparison.Ordinal));
        var (folder, copy) = world.Fork(Copy);
        var definitions = copy.Definitions.Select(d => DefinitionStore.Read(folder, copy, d)).ToArray();
        Assert.Single(definitions.Select(d => d.GenerationId).Distinct());
        Assert.Single(definitions.SelectMany(d => d.Devices.OfType<NetworkDevice>()).Select(n => n.Mac).Distinct());
        Assert.All(definitions, d =>
        {
            Assert.Null(d.Emulator);
            Assert.NotEqual("52:54:00:00:00:01", d.Devices.OfType<NetworkDevice>().Single().Mac);
            Assert.NotEqual(new Guid("11111111-2222-3333-4444-555555555555"), d.GenerationId);
            Assert.All(d.Disks, disk => Assert.StartsWith($"{folder.Path}/images/", disk.Source, StringComparison.Ordinal));
        });

        var error = await HomeTests.FailAsync(() => world.RunAsync(Import(world) with { Name = "third", KeepsIdentity = true }));
        Assert.Equal(ErrorKind.AlreadyExists, error.Kind);
        var snapshots = world.Catalog.Snapshots.Keys.ToHashSet();
        await world.RunAsync(new UndefineDomain(World.Name, Snapshots: true));
        await world.RunAsync(Import(world) with { Name = null, KeepsIdentity = true });
        Assert.Equal(World.Name, world.Catalog.Name);
        Assert.True(snapshots.SetEquals(world.Catalog.Snapshots.Keys));
        Assert.Equal("52:54:00:00:00:01", DefinitionStore.Read(world.Domain, world.Catalog, world.Catalog.Head.Definition).Devices.OfType<NetworkDevice>().Single().Mac);
    }

    [Fact]
    public async Task Names_that_are_taken_and_folders_that_are_there_are_refused_with_the_way_out()
    {
        using var world = new World();
        await WithTreeAsync(world);
        await world.RunAsync(Export(world));
        var again = await HomeTests.FailAsync(() => world.RunAsync(Export(world)));
        Assert.Equal((ErrorKind.AlreadyExists, world.Export), (again.Kind, again.Subject));
        var nowhere = await HomeTests.FailAsync(() => world.RunAsync(Export(world) with { Folder = "/nowhere/at/all" }));
        Assert.Equal(ErrorKind.NotFound, nowhere.Kind);
        var taken = await HomeTests.FailAsync(() => world.RunAsync(Import(world) with { Name = null }));
        Assert.Contains("--name", taken.NextStep, StringComparison.Ordinal);
        world.Host.Free = new ByteCount(4096);
        var full = await HomeTests.FailAsync(() => world.RunAsync(Export(world) with { Folder = world.Export + "2" }));
        Assert.Contains("4 KiB are free", full.Problem, StringComparison.Ordinal);
        Assert.Contains("4 KiB are free", (await HomeTests.FailAsync(() => world.RunAsync(Import(world)))).Problem, StringComparison.Ordinal);
        Assert.Single(world.All);
    }

    [Fact]
    public async Task A_guest_without_a_snapshot_is_told_to_take_one()
    {
        using var world = new World();
        await world.DefineAsync();
        await world.StartAsync();
        var error = await HomeTests.FailAsync(() => world.RunAsync(Export(world)));
        Assert.Contains("coppice snapshot create web", error.NextStep, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Layers_that_are_being_merged_are_not_copied()
    {
        using var world = new World();
        await world.DefineAsync();
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
        await world.SnapshotAsync("two");
        world.Host.Tick();
        await world.RunAsync(new DeleteSnapshot(World.Name, "one", metadataOnly: false));
        Assert.NotEmpty(world.Catalog.Jobs);
        var error = await HomeTests.FailAsync(() => world.RunAsync(Export(world)));
        Assert.Contains("is being merged", error.Problem, StringComparison.Ordinal);
        Assert.Contains("coppice job wait web", error.NextStep, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_disk_that_took_no_part_is_shared_by_head_and_tip_and_goes_all_the_same(bool isFrozenLater)
    {
        using var world = new World();
        await world.DefineAsync();
        await world.RunAsync(Without("A", "vdb"));
        await world.StartAsync();
        world.Host.Tick();
        await world.RunAsync(new KillDomain(World.Name));
        await world.RunAsync(Scenario.Revert("A"));
        Assert.NotEmpty(Assert.Single(world.Catalog.Tips).Head.Disks.Intersect(world.Catalog.Head.Disks));
        if (isFrozenLater)
        {
            await world.SnapshotExternalAsync("B");
        }

        var old = Contents(world, world.Catalog);
        await world.RunAsync(Export(world));
        await world.RunAsync(Import(world));
        Assert.Equal(old, Contents(world, world.Fork(Copy).Catalog));
    }

    [Fact]
    public async Task Without_a_head_a_copy_begins_on_a_snapshot_that_has_every_disk()
    {
        using var world = new World();
        await world.DefineAsync();
        await world.RunAsync(Without("lacks", "vdb"));
        await world.StartAsync();
        var none = await HomeTests.FailAsync(() => world.RunAsync(Export(world)));
        Assert.Contains("nothing to begin on", none.Problem, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world.Export));

        await world.RunAsync(new KillDomain(World.Name));
        await world.SnapshotExternalAsync("whole");
        await world.RunAsync(Without("current", "vdb"));
        await world.StartAsync();
        var exported = await world.RunAsync(Export(world));
        Assert.Contains(exported.Plan.Warnings, w => w.Contains("begins on snapshot 'whole', not on the current one, which lacks disk 'vdb'", StringComparison.Ordinal));
        await world.RunAsync(Import(world));
        var copy = world.Fork(Copy).Catalog;
        Assert.Equal("whole", copy.Snapshots[copy.Current!.Value].Name);
        Inspection.CheckAll(world);
    }

    [Fact]
    public async Task A_guest_gets_no_file_of_the_host_for_random_numbers()
    {
        using var world = new World();
        await world.RunAsync(new DefineDomain(World.Definition() with
        {
            Devices = [.. World.Definition().Devices, new RandomDevice { Source = "/etc/shadow" }, new RandomDevice { Source = "/dev/random" }],
        }));
        await world.RunAsync(Export(world));
        var imported = await world.RunAsync(Import(world));
        Assert.Contains("its random numbers come from /dev/urandom, not from /etc/shadow", imported.Plan.Warnings);
        var (folder, copy) = world.Fork(Copy);
        Assert.Equal(
            ["/dev/urandom", "/dev/random"],
            DefinitionStore.Read(folder, copy, copy.Head.Definition).Devices.OfType<RandomDevice>().Select(r => r.Source!));
    }

    [Theory]
    [InlineData("kernel")]
    [InlineData("initrd")]
    [InlineData("code")]
    public async Task Files_of_the_host_are_booted_from_only_if_that_is_allowed(string what)
    {
        const string Secret = "/etc/shadow";
        using var world = new World();
        var uefi = World.Uefi();
        await world.RunAsync(new DefineDomain(uefi with
        {
            Os = what switch
            {
                "kernel" => new OsSettings { Kernel = Secret },
                "initrd" => new OsSettings { Kernel = "/boot/vmlinuz", Initrd = Secret },
                "code" => uefi.Os with { Firmware = uefi.Os.Firmware! with { Code = Secret } },
                _ => throw new ArgumentException(what, nameof(what)),
            },
        }));
        await world.RunAsync(Export(world));
        var error = await HomeTests.FailAsync(() => world.RunAsync(Import(world)));
        Assert.Equal(ErrorKind.Forbidden, error.Kind);
        Assert.Contains(Secret, error.Problem, StringComparison.Ordinal);
        Assert.Contains("--host-files", error.NextStep, StringComparison.Ordinal);
        Assert.Single(world.All);
        var imported = await world.RunAsync(Import(world) with { HostFiles = true });
        Assert.Contains(imported.Plan.Warnings, w => w.Contains(Secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_firmware_that_is_installed_nobody_is_asked()
    {
        using var world = new World();
        await world.RunAsync(new DefineDomain(World.Uefi()));
        await world.RunAsync(Export(world));
        await world.RunAsync(Import(world));
        Assert.NotNull(world.Fork(Copy).Catalog);
    }

    [Fact]
    public async Task A_plan_makes_nothing()
    {
        using var world = new World();
        await WithTreeAsync(world);
        var planned = await world.Open().RunAsync(Export(world), new RunOptions { PlanOnly = true });
        Assert.False(planned.Executed);
        Assert.False(Directory.Exists(world.Export));
        await world.RunAsync(Export(world));
        var plan = await world.Open().RunAsync(Import(world), new RunOptions { PlanOnly = true });
        Assert.Contains(plan.Plan.Prepare, s => s.Kind == "store.copy-image");
        Assert.Single(world.All);
    }

    internal static ExportDomain Export(World world) => new(World.Name, world.Export);

    internal static ImportDomain Import(World world) => new(world.Export) { Name = Copy };

    private static CreateSnapshot Without(string name, string disk) => new(World.Name)
    {
        Name = name, Disks = [.. Scenario.External("vda"), new(disk, DiskMode.None)],
    };

    /// <summary>Two snapshots with memory, one that was taken off, and a tip.</summary>
    internal static async Task WithTreeAsync(World world)
    {
        await world.DefineAsync();
        await world.SnapshotExternalAsync("off");
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
        await world.RunAsync(Scenario.Revert("one"));
        world.Host.Tick();
        await world.SnapshotAsync("two");
        world.Host.Tick();
    }

    /// <summary>What every snapshot, tip and the head hold.</summary>
    private static string Contents(World world, Catalog catalog)
    {
        var (graph, host) = (LayerGraph.Of(catalog), world.Host.State);
        var snapshots = catalog.Snapshots.Values.OrderBy(s => s.Name, StringComparer.Ordinal).Select(s =>
            $"{s.Name} {s.State} on {(s.Parent is { } p ? catalog.Snapshots[p].Name : "")} {string.Join(',', s.Disks.Select(d => $"{d.Target} {(d.IsKept ? host.Last(graph[d.Layer]) : 0)}"))} {Memory(s.Memory)}");
        var heads = catalog.Tips.Select(t => (t.Head, t.Memory)).Append((catalog.Head, MemoryImage.None))
            .Select(h => $"{string.Join(',', h.Item1.Disks.Select(d => $"{d.Target} {host.Last(graph[d.Layer])}"))} {Memory(h.Item2)}");
        return string.Join('\n', snapshots.Concat(heads));

        string Memory(MemoryImage memory) => memory.File is { } file ? $"{host.Memories[file].Counter}"
            : memory.Layer is { } inside ? $"{host.Images[graph[inside].Path].Internals[graph[inside].Inside!.Tag].Memory}"
            : "";
    }
}
