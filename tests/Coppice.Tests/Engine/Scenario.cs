using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>An operation and what leads to it.</summary>
/// <param name="Request">The operation that crashes.</param>
/// <param name="Prepare">What is done before, on a domain that is defined.</param>
/// <param name="Discards">What the guest wrote last goes with the operation.</param>
internal sealed record Scenario(Request Request, Func<World, Task>? Prepare, bool Discards = false)
{
    private const string Name = World.Name;

    /// <summary>The operation, where it follows from what led to it.</summary>
    public Func<World, Request>? Asks { get; init; }

    private static readonly RedefineSnapshot s_redefined = new(Name, new SnapshotDocument(), IsCurrent: true);

    public static IReadOnlyDictionary<string, Scenario> All { get; } = new Dictionary<string, Scenario>(StringComparer.Ordinal)
    {
        ["define"] = new(new DefineDomain(World.Definition()), null),
        ["define, UEFI"] = new(new DefineDomain(World.Uefi()), null),
        ["redefine as UEFI"] = new(new DefineDomain(World.Uefi()), Off),
        ["create running, UEFI"] = new(new CreateSnapshot(Name) { Name = "new" }, Uefi),
        ["revert, UEFI"] = new(Revert("one"), async w => { await Uefi(w); await w.SnapshotAsync("one"); w.Host.Tick(); }),
        ["define, TPM"] = new(new DefineDomain(World.Tpm()), null),
        ["run transient"] = new(new RunTransient(World.Definition(), Paused: false), null),
        ["run transient, TPM, paused"] = new(new RunTransient(World.Tpm(), Paused: true), null),
        ["kill transient"] = new(new KillDomain(Name), Transient, Discards: true),
        ["stop transient"] = new(new StopDomain(Name, TimeSpan.FromSeconds(5)), Transient, Discards: true),
        ["kill transient with a snapshot"] = new(new KillDomain(Name), TransientWithSnapshot),
        ["revert transient"] = new(Revert("one"), TransientWithSnapshot),
        ["persist"] = new(new PersistDomain(Name), Transient),
        ["autostart"] = new(new SetAutostart(Name, IsOn: true), WithSnapshots),
        ["rename"] = new(new RenameDomain(Name, "shop"), WithSnapshots),
        ["resize running"] = new(new ResizeDisk(Name, "vda", new ByteCount(4 << 20)), WithSnapshots),
        ["resize off"] = new(new ResizeDisk(Name, "vda", new ByteCount(4 << 20)), Off),
        ["attach running"] = new(Attach(), WithSnapshots),
        ["attach off"] = new(Attach(), OffWithSnapshot),
        ["detach running"] = new(Detach("vdc"), async w => { await WithSnapshots(w); await w.RunAsync(Attach()); w.Host.Tick(); }),
        ["detach running, discarding"] = new(
            Detach("vdc") with { Discard = true },
            async w =>
            {
                await WithSnapshots(w);
                await w.RunAsync(Attach());
                await w.SnapshotAsync("three");
                w.Host.Tick();
            },
            Discards: true),
        ["detach off"] = new(Detach("vdc"), OffWithDisks),
        ["redefine with a TPM"] = new(new DefineDomain(World.Tpm()), Off),
        ["create running, TPM"] = new(new CreateSnapshot(Name) { Name = "new" }, Tpm),
        ["create disk-only, TPM"] = new(new CreateSnapshot(Name) { Name = "new", DiskOnly = true }, Tpm),
        ["create off, TPM"] = new(
            new CreateSnapshot(Name) { Name = "new", Disks = [.. External("vda", "vdb")] },
            async w => { await Tpm(w); await w.RunAsync(new KillDomain(Name)); }),
        ["revert, TPM"] = new(Revert("one"), TpmWithSnapshot),
        ["revert off, TPM"] = new(Revert("one"), async w => { await TpmWithSnapshot(w); await w.RunAsync(new KillDomain(Name)); }),
        ["undo, TPM"] = new(new UndoRevert(Name), async w => { await TpmWithSnapshot(w); await w.RunAsync(Revert("one")); }),
        ["start, tap device"] = new(new StartDomain(Name, Paused: false), w => w.RunAsync(new DefineDomain(World.OnNetworks()))),
        ["revert, tap device"] = new(Revert("one"), OnNetworks),
        ["undo, tap device"] = new(new UndoRevert(Name), async w => { await OnNetworks(w); await w.RunAsync(Revert("one")); }),
        ["delete, TPM"] = new(new DeleteSnapshot(Name, "one", MetadataOnly: false), TpmWithSnapshot),
        ["undefine, TPM"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w => { await TpmWithSnapshot(w); await w.RunAsync(new KillDomain(Name)); }, Discards: true),
        ["redefine with a block device"] = new(new DefineDomain(World.Device()), Off),
        ["create running, block device"] = new(new CreateSnapshot(Name) { Name = "new" }, Device),
        ["revert, block device"] = new(Revert("one"), async w => { await Device(w); await w.SnapshotAsync("one"); w.Host.Tick(); }),
        ["redefine with another disk"] = new(new DefineDomain(World.More()), OffWithSnapshot),
        ["redefine without a disk"] = new(new DefineDomain(World.Definition()), async w =>
        {
            await OffWithSnapshot(w);
            await w.RunAsync(new DefineDomain(World.More()));
        }),
        ["revert to fewer disks"] = new(Revert("fewer"), OffWithDisks),
        ["revert to fewer disks, discarding"] = new(Revert("fewer") with { DiscardCurrent = true }, OffWithDisks, Discards: true),
        ["revert to more disks"] = new(Revert("more"), async w => { await OffWithDisks(w); await w.RunAsync(Revert("fewer")); }),
        ["undo to more disks"] = new(
            new UndoRevert(Name),
            async w =>
            {
                await OffWithSnapshot(w);
                await w.RunAsync(new DefineDomain(World.More()));
                await w.RunAsync(Revert("fewer"));
            }),
        ["redefine"] = new(new DefineDomain(World.Definition() with { Memory = new ByteCount(2 << 20) }), Off),
        ["start"] = new(new StartDomain(Name, Paused: false), Off),
        ["start paused"] = new(new StartDomain(Name, Paused: true), Off),
        ["pause"] = new(new PauseDomain(Name), Running),
        ["resume"] = new(new ResumeDomain(Name), Paused),
        ["kill"] = new(new KillDomain(Name), Running),
        ["stop"] = new(new StopDomain(Name, TimeSpan.FromSeconds(5)), Running),
        ["create running"] = new(new CreateSnapshot(Name) { Name = "new" }, Running),
        ["create paused"] = new(new CreateSnapshot(Name) { Name = "new" }, Paused),
        ["create disk-only"] = new(new CreateSnapshot(Name) { Name = "new", DiskOnly = true }, Running),
        ["create halt"] = new(new CreateSnapshot(Name) { Name = "new", Halt = true }, Running),
        ["create off"] = new(new CreateSnapshot(Name) { Name = "new", Disks = [.. External("vda", "vdb")] }, Off),
        ["create without metadata"] = new(new CreateSnapshot(Name) { DiskOnly = true, NoMetadata = true }, WithSnapshots),
        ["create on prepared overlays"] = new(Prepared("new"), async w => { await Running(w); MakeOverlays(w); }),
        ["create on prepared overlays, off"] = new(Prepared("new"), w => { MakeOverlays(w); return Task.CompletedTask; }),
        ["redefine a snapshot"] = new(s_redefined, async w =>
        {
            await WithSnapshots(w);
            await w.DumpAsync("two", d => d with { Parent = "off", Description = "moved" });
        })
        { Asks = Redefined },
        ["redefine a forgotten snapshot"] = new(s_redefined, async w =>
        {
            await WithSnapshots(w);
            await w.DumpAsync("one", d => d);
            await w.ForgetAsync("one");
        })
        { Asks = Redefined },
        ["redefine a forgotten snapshot inside"] = new(s_redefined, async w =>
        {
            await WithInternals(w);
            await w.DumpAsync("inside", d => d);
            await w.ForgetAsync("inside");
        })
        { Asks = Redefined },
        ["redefine a forgotten snapshot with its definition"] = new(s_redefined, async w =>
        {
            var definition = DomainSeal.AssignAddresses(World.Definition());
            await w.RunAsync(new DefineDomain(definition));
            await w.SnapshotExternalAsync("one");
            await w.DumpAsync("one", d => d);
            await w.ForgetAsync("one");
            await w.RunAsync(new DefineDomain(definition with { VirtualCpus = 2 }));
        })
        { Asks = Redefined },
        ["save"] = new(new SaveDomain(Name), WithSnapshots),
        ["save paused"] = new(new SaveDomain(Name), Paused),
        ["start saved"] = new(new StartDomain(Name, Paused: false), Saved),
        ["start saved anew"] = new(new StartDomain(Name, Paused: false, Anew: true), Saved),
        ["create saved"] = new(new CreateSnapshot(Name) { Name = "new" }, Saved),
        ["revert saved"] = new(Revert("one"), Saved),
        ["undo to saved"] = new(new UndoRevert(Name), async w => { await Saved(w); await w.RunAsync(Revert("one")); }),
        ["create inside, off"] = new(Inside("new", "vda") with { Memory = null }, Off),
        ["create inside, disk-only"] = new(Inside("new", "vda") with { Memory = null, DiskOnly = true }, Running),
        ["create inside, with memory"] = new(Inside("new", "vda"), Running),
        ["create inside, with memory in a file"] = new(
            Inside("new", "vda") with { Memory = new MemoryRequest(MemoryMode.External) }, Running),
        ["create with memory in a disk that moves"] = new(
            new CreateSnapshot(Name) { Name = "new", Memory = new MemoryRequest(MemoryMode.Internal) }, Running),
        ["create with a manual disk"] = new(
            new CreateSnapshot(Name) { Name = "new", Disks = [new DiskRequest("vdb", DiskMode.Manual)] }, Running),
        ["revert to inside"] = new(Revert("inside"), WithInternals),
        ["revert to inside, discarding"] = new(Revert("inside") with { DiscardCurrent = true }, WithInternals, Discards: true),
        ["revert to memory in a disk that moved"] = new(Revert("moved"), WithInternals),
        ["undo a revert to inside"] = new(new UndoRevert(Name), async w => { await WithInternals(w); await w.RunAsync(Revert("inside")); }),
        ["delete inside"] = new(new DeleteSnapshot(Name, "inside", MetadataOnly: false), async w =>
        {
            await w.StartAsync();
            await w.RunAsync(Inside("inside", "vda"));
            w.Host.Tick();
        }),
        ["delete inside, off"] = new(
            new DeleteSnapshot(Name, "last", MetadataOnly: false), async w => { await WithInternals(w); await w.RunAsync(new KillDomain(Name)); }),
        ["delete inside what the guest builds on"] = new(new DeleteSnapshot(Name, "alone", MetadataOnly: false), async w =>
        {
            await w.RunAsync(new CreateSnapshot(Name)
            {
                Name = "alone", Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.None)],
            });
            await w.StartAsync();
            await w.SnapshotAsync("on top");
            w.Host.Tick();
        }),
        ["undefine with snapshots inside"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w =>
            {
                await w.RunAsync(new CreateSnapshot(Name) { Disks = [new("vda", DiskMode.Internal), new("vdb", DiskMode.None)] });
                await w.RunAsync(new CreateSnapshot(Name) { Disks = [.. External("vda", "vdb")] });
                await WithInternals(w);
                await w.RunAsync(new KillDomain(Name));
            },
            Discards: true),
        ["revert"] = new(Revert("one"), WithSnapshots),
        ["revert discarding"] = new(Revert("one") with { DiscardCurrent = true }, WithSnapshots, Discards: true),
        ["revert, setting the clock"] = new(Revert("one") with { SyncTime = true }, WithAgent),
        ["undo, setting the clock"] = new(
            new UndoRevert(Name) { SyncTime = true }, async w => { await WithAgent(w); await w.RunAsync(Revert("one")); }),
        ["start saved, setting the clock"] = new(
            new StartDomain(Name, Paused: false) { SyncTime = true }, async w => { await WithAgent(w); await w.RunAsync(new SaveDomain(Name)); }),
        ["revert paused"] = new(Revert("one") with { State = RevertState.Paused }, WithSnapshots),
        ["revert to off"] = new(Revert("off"), WithSnapshots),
        ["revert off"] = new(Revert("one"), async w => { await WithSnapshots(w); await w.RunAsync(new KillDomain(Name)); }),
        ["undo"] = new(new UndoRevert(Name), async w => { await WithSnapshots(w); await w.RunAsync(Revert("one")); }),
        ["delete"] = new(new DeleteSnapshot(Name, "two", MetadataOnly: false), WithSnapshots),
        ["edit"] = new(new EditSnapshot(Name, "one", "uno", "first"), WithSnapshots),
        ["current"] = new(new SetCurrentSnapshot(Name, "one"), WithSnapshots),
        ["undefine"] = new(
            new UndefineDomain(Name, Snapshots: true),
            async w => { await WithSnapshots(w); await w.RunAsync(Revert("one")); await w.RunAsync(new KillDomain(Name)); },
            Discards: true),
    };

    /// <summary>The names of some.</summary>
    public static TheoryData<string> That(Func<string, bool> suits) => [.. All.Keys.Where(suits)];

    /// <summary>The operation that crashes.</summary>
    public Request RequestIn(World world) => Asks?.Invoke(world) ?? Request;

    /// <summary>Does what leads to the operation.</summary>
    public async Task SetUpAsync(World world)
    {
        if (Prepare is not null)
        {
            await world.DefineAsync();
            await Prepare(world);
        }
    }

    public static IEnumerable<DiskRequest> External(params string[] targets) => targets.Select(t => new DiskRequest(t, DiskMode.External));

    public static RevertSnapshot Revert(string snapshot) => new(Name, snapshot, RevertState.AsTaken, DiscardCurrent: false, Force: false);

    public static AttachDisk Attach() => new(Name, new NewDisk("/images/more.qcow2", ImageFormat.Qcow2));

    public static DetachDisk Detach(string target) => new(Name, target, Discard: false);

    private static RedefineSnapshot Redefined(World world) => s_redefined with { Document = world.Dumped! };

    /// <summary>A snapshot whose overlays are there already: the user has made them.</summary>
    public static CreateSnapshot Prepared(string name) => new(Name)
    {
        Name = name,
        ReuseExternal = true,
        Disks = [new("vda", DiskMode.External, "/images/prepared-a"), new("vdb", DiskMode.External, "/images/prepared-b")],
    };

    public static void MakeOverlays(World world)
    {
        var graph = new LayerGraph(world.Catalog);
        foreach (var disk in world.Catalog.Head.Disks)
        {
            world.AddImage($"/images/prepared-{disk.Target[^1]}", graph[disk.Layer].Path);
        }
    }

    /// <summary>One disk inside its image, with the memory; the other one, which is raw, moves.</summary>
    public static CreateSnapshot Inside(string name, string target) => new(Name)
    {
        Name = name,
        Memory = new MemoryRequest(MemoryMode.Internal, Disk: target),
        Disks = [new DiskRequest(target, DiskMode.Internal)],
    };

    private static async Task WithInternals(World world)
    {
        await world.StartAsync();
        await world.RunAsync(Inside("inside", "vda"));
        world.Host.Tick();
        await world.RunAsync(new CreateSnapshot(Name) { Name = "moved", Memory = new MemoryRequest(MemoryMode.Internal) });
        world.Host.Tick();
        await world.RunAsync(Inside("last", "vda"));
        world.Host.Tick();
    }

    /// <summary>A domain that exists only as long as it runs, with the name and the disks of the usual one.</summary>
    private static async Task Transient(World world)
    {
        await world.RunAsync(new UndefineDomain(Name, Snapshots: false));
        await world.RunAsync(new RunTransient(World.Definition(), Paused: false));
        world.Host.Tick();
    }

    private static async Task TransientWithSnapshot(World world)
    {
        await Transient(world);
        await world.SnapshotAsync("one");
        world.Host.Tick();
    }

    private static async Task Saved(World world)
    {
        await WithSnapshots(world);
        await world.RunAsync(new SaveDomain(Name));
    }

    private static Task Off(World world) => Task.CompletedTask;

    private static Task<OperationResult> OffWithSnapshot(World world) =>
        world.RunAsync(new CreateSnapshot(Name) { Name = "fewer", Disks = [.. External("vda", "vdb")] });

    private static async Task OffWithDisks(World world)
    {
        await OffWithSnapshot(world);
        await world.RunAsync(new DefineDomain(World.More()));
        await world.RunAsync(new CreateSnapshot(Name) { Name = "more", Disks = [.. External("vda", "vdb", "vdc")] });
    }

    private static Task Running(World world) => world.StartAsync();

    private static async Task Uefi(World world)
    {
        await world.RunAsync(new DefineDomain(World.Uefi()));
        await world.StartAsync();
    }

    private static async Task Tpm(World world)
    {
        await world.RunAsync(new DefineDomain(World.Tpm()));
        await world.StartAsync();
    }

    private static async Task TpmWithSnapshot(World world)
    {
        await Tpm(world);
        await world.SnapshotAsync("one");
        world.Host.Tick();
    }

    private static async Task Device(World world)
    {
        await world.RunAsync(new DefineDomain(World.Device()));
        await world.StartAsync();
    }

    private static async Task OnNetworks(World world)
    {
        await world.RunAsync(new DefineDomain(World.OnNetworks()));
        await WithSnapshots(world);
    }

    private static async Task Paused(World world)
    {
        await world.StartAsync();
        await world.RunAsync(new PauseDomain(Name));
    }

    private static async Task WithAgent(World world)
    {
        await world.RunAsync(new DefineDomain(World.Agent()));
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
    }

    private static async Task WithSnapshots(World world)
    {
        await world.RunAsync(new CreateSnapshot(Name) { Name = "off", Disks = [.. External("vda", "vdb")] });
        await world.StartAsync();
        await world.SnapshotAsync("one");
        world.Host.Tick();
        await world.SnapshotAsync("two");
        world.Host.Tick();
    }
}
