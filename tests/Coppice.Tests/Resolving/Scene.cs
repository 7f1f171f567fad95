using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Resolving;

/// <summary>A domain to take snapshots of: two qcow2 disks, a raw one, a read-only one and a CD-ROM, or any other set.</summary>
internal sealed record Scene
{
    public static readonly ImmutableHashSet<Capability> Everything = [.. Enum.GetValues<Capability>()];
    public static readonly ImmutableHashSet<Capability> NoCapability = [];

    public static readonly DiskDevice Vda = Disk("vda", ImageFormat.Qcow2);
    public static readonly DiskDevice Vdb = Disk("vdb", ImageFormat.Qcow2);
    public static readonly DiskDevice Raw = Disk("vdc", ImageFormat.Raw);
    public static readonly DiskDevice Fixed = Disk("vdd", ImageFormat.Qcow2) with { ReadOnly = true };
    public static readonly DiskDevice Cdrom = new() { Target = "sda", Kind = DiskKind.Cdrom };

    private const string Ram = "/home/volume/web/00000001.ram";

    public ImmutableArray<DiskDevice> Disks { get; init; } = [Vda, Vdb];

    public DomainState State { get; init; } = DomainState.Running;

    public bool IsAlive { get; init; } = true;

    public ImmutableHashSet<Capability> Capabilities { get; init; } = Everything;

    /// <summary>Whether its RAM is a file that can be cloned.</summary>
    public bool IsMapped { get; init; }

    /// <summary>With the variables of UEFI firmware, in a raw image.</summary>
    public FirmwareSettings? Firmware { get; init; }

    public int ChainDepth { get; init; } = 1;

    public ImmutableArray<Snapshot> Snapshots { get; init; } = [];

    public static DiskDevice Disk(string target, ImageFormat format) =>
        new() { Target = target, Source = $"/images/{target}.img", Format = format };

    public static Snapshot Snapshot(string name, MemoryImage? memory = null) => new()
    {
        Id = new SnapshotId(new Guid(name.Select(c => (byte)c).Concat(new byte[16]).Take(16).ToArray())),
        Name = name,
        CreatedAt = DateTimeOffset.UnixEpoch,
        State = DomainState.Running,
        Definition = new ShortId("dddddddd"),
        Memory = memory ?? MemoryImage.None,
        Disks = [],
    };

    public ResolvedSnapshot Resolve(CreateSnapshot request) => SnapshotResolver.Resolve(request, Observe());

    public Observed Observe()
    {
        var folder = new HomeFolder("/home").Domain(new DomainId(Guid.Empty));
        var definition = new DomainDefinition
        {
            Id = new DomainId(Guid.Empty), Name = "web", Memory = new ByteCount(1 << 20), Disks = Disks,
            Os = new OsSettings { Firmware = Firmware },
        };
        var layers = definition.DisksAndFlash.Where(d => d.Source is not null).SelectMany(Chain).ToImmutableArray();
        var heads = definition.DisksAndFlash.Where(d => d.Source is not null).Select(d => new HeadDisk(d.Target, Id(d, 0))).ToImmutableArray();
        var seed = (byte)0;
        return new Observed
        {
            Folder = folder,
            Catalog = new Catalog
            {
                Domain = new DomainId(Guid.Empty),
                Name = "web",
                Last = new LastOperation(new ShortId("00000000"), OperationEnd.Committed),
                Head = new Head { Definition = new ShortId("dddddddd"), Disks = heads },
                Layers = layers,
                Snapshots = Snapshots.ToImmutableDictionary(s => s.Id),
            },
            Definition = definition,
            Definitions = ImmutableDictionary<ShortId, DomainDefinition>.Empty,
            Hypervisor = new HypervisorObservation { State = State, IsAlive = IsAlive, Ram = IsMapped ? Ram : null },
            Volume = new MemoryVolume
            {
                Folder = "/home/volume", Free = new ByteCount(1 << 30), Capacity = new ByteCount(1 << 30),
                Rams = ImmutableDictionary<string, RamFile>.Empty.Add(Ram, new RamFile(new ByteCount(1 << 20), default, 1)),
            },
            Layers = heads.ToImmutableDictionary(
                h => h.Layer, h => new LayerObservation { Layer = h.Layer, Exists = true, OverlayFolder = folder.Images(h.Target) }),
            Capabilities = new CapabilitySet("fake", "1.0", Capabilities),
            Now = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000),
            Ids = new IdSource(bytes => bytes.Fill(++seed)),
        };
    }

    private static ShortId Id(DiskDevice disk, int level) =>
        new($"{disk.Target.Aggregate(0, (sum, c) => (sum * 31) + c):x5}{level:x5}");

    private IEnumerable<Layer> Chain(DiskDevice disk) => Enumerable.Range(0, ChainDepth).Select(level => new Layer
    {
        Id = Id(disk, level),
        Disk = disk.Target,
        Path = level == ChainDepth - 1 ? disk.Source! : $"/layers/{disk.Target}.{level}",
        Format = level == ChainDepth - 1 ? disk.Format : ImageFormat.Qcow2,
        VirtualSize = new ByteCount(1 << 20),
        Parent = level == ChainDepth - 1 ? null : Id(disk, level + 1),
        Origin = LayerOrigin.User,
    });
}
