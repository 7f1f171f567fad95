using Coppice.Core;

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

    public static IReadOnlyDictionary<string, Scenario> All { get; } = new[]
    {
        DefinitionScenarios.All,
        PowerScenarios.All,
        DiskScenarios.All,
        CreateScenarios.All,
        RevertScenarios.All,
        DeleteScenarios.All,
        MirrorScenarios.All,
        RecordScenarios.All,
        ForkScenarios.All,
        ExportScenarios.All,
    }.SelectMany(family => family).ToDictionary(StringComparer.Ordinal);

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

    /// <summary>A revert that takes a snapshot of what it leaves.</summary>
    public static RevertSnapshot Checkpointed(string snapshot, MemoryRequest? memory = null) => Revert(snapshot) with
    {
        Checkpoint = new CreateSnapshot(Name) { Name = "left", Memory = memory },
    };

    /// <summary>A snapshot that is made of another one, from which the domain goes on.</summary>
    public static CreateSnapshot Branch(string from, Func<BranchRequest, BranchRequest>? with = null)
    {
        var branch = new BranchRequest(from, IsCurrent: true);
        return new CreateSnapshot(Name) { Name = "new", Branch = with?.Invoke(branch) ?? branch };
    }

    public static AttachDisk Attach() => new(Name, new NewDisk("/images/more.qcow2", ImageFormat.Qcow2));

    public static DetachDisk Detach(string target) => new(Name, target, Discard: false);

    /// <summary>A snapshot of the disks of a guest whose file systems are frozen.</summary>
    public static CreateSnapshot Quiesced(string name) => new(Name) { Name = name, DiskOnly = true, Quiesce = true };

    /// <summary>A snapshot whose overlays are there already: the user has made them.</summary>
    public static CreateSnapshot Prepared(string name) => new(Name)
    {
        Name = name,
        ReuseExternal = true,
        Disks = [new("vda", DiskMode.External, "/images/prepared-a"), new("vdb", DiskMode.External, "/images/prepared-b")],
    };

    public static void MakeOverlays(World world)
    {
        var graph = LayerGraph.Of(world.Catalog);
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

    public static ForkSnapshot Fork(string snapshot) => new(Name, snapshot, "copy");

    /// <summary>A snapshot whose second layer went where nothing can be linked from.</summary>
    public static async Task Elsewhere(World world)
    {
        world.Host.Mounts.Add("/elsewhere");
        await world.StartAsync();
        await world.RunAsync(new CreateSnapshot(Name)
        {
            Name = "first", DiskOnly = true, Disks = [new DiskRequest("vda", DiskMode.External, "/elsewhere/layer.qcow2"), .. External("vdb")],
        });
        world.Host.Tick();
        await world.SnapshotAsync("elsewhere");
        world.Host.Tick();
    }
}
