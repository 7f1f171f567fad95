using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A domain as its XML defines it (libvirt formatdomain).</summary>
public sealed record DomainDefinition
{
    /// <summary>What the XML calls the kind of hypervisor: <c>kvm</c>, <c>qemu</c>.</summary>
    public string Type { get; init; } = "kvm";

    /// <summary>Its uuid; generated when the XML has none.</summary>
    public required DomainId Id { get; init; }

    /// <summary>Its name, unique within a home.</summary>
    public required string Name { get; init; }

    /// <summary>One line about it, free text.</summary>
    public string? Title { get; init; }

    /// <summary>More about it, free text.</summary>
    public string? Description { get; init; }

    /// <summary>Whether another one is of the same machine: nothing differs but what they say for people and programs.</summary>
    public bool IsSameMachine(DomainDefinition other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Unnoted(this) == Unnoted(other);

        static string Unnoted(DomainDefinition definition) =>
            DomainXml.Format(definition with { Title = null, Description = null, Metadata = null });
    }

    /// <summary>The whole <c>&lt;metadata&gt;</c> element: what applications keep here, exactly (R143).</summary>
    public string? Metadata { get; init; }

    /// <summary>
    /// The generation id that tells a guest it was restored or forked (<c>&lt;genid&gt;</c>); null if the guest has no such
    /// device.
    /// </summary>
    public Guid? GenerationId { get; init; }

    /// <summary>The RAM the guest starts with.</summary>
    public required ByteCount Memory { get; init; }

    /// <summary>What the balloon leaves the guest of it; null for all.</summary>
    public ByteCount? CurrentMemory { get; init; }

    /// <summary>How many virtual CPUs it has.</summary>
    public int VirtualCpus { get; init; } = 1;

    /// <summary>The CPU it sees; null leaves it to the driver.</summary>
    public CpuSettings? Cpu { get; init; }

    /// <summary>How the virtual CPUs are arranged; null leaves it to the driver.</summary>
    public CpuTopology? Topology { get; init; }

    /// <summary>The machine and how it boots.</summary>
    public OsSettings Os { get; init; } = new();

    /// <summary>Parts of the machine that can be left out.</summary>
    public MachineFeatures Features { get; init; }

    /// <summary>Whether the machine has VMware's port (<c>&lt;vmport&gt;</c>); null leaves it to the driver.</summary>
    public bool? VmwarePort { get; init; }

    /// <summary>Whether the machine has system management mode (<c>&lt;smm&gt;</c>); null leaves it to the driver.</summary>
    public bool? ManagementMode { get; init; }

    /// <summary>The sleep states.</summary>
    public SleepStates Sleep { get; init; } = new(null, null);

    /// <summary>The guest's clock.</summary>
    public ClockSettings Clock { get; init; } = new();

    /// <summary>What follows when the guest powers off.</summary>
    public LifecycleAction OnPowerOff { get; init; } = LifecycleAction.Destroy;

    /// <summary>What follows when the guest reboots.</summary>
    public LifecycleAction OnReboot { get; init; } = LifecycleAction.Restart;

    /// <summary>What follows when the guest crashes.</summary>
    public LifecycleAction OnCrash { get; init; } = LifecycleAction.Destroy;

    /// <summary>The absolute path of the hypervisor's program; null leaves it to the driver.</summary>
    public string? Emulator { get; init; }

    /// <summary>The devices, in document order.</summary>
    public ValueList<Device> Devices { get; init; } = [];

    /// <summary>
    /// What the document says outside its devices beyond the properties of this record, as XML. Kept and written back;
    /// <see cref="Obstacles"/> tells what of it prevents a start.
    /// </summary>
    public string? Remainder { get; init; }

    /// <summary>The drives, in document order. Setting them replaces the drives and keeps the other devices after them.</summary>
    public ImmutableArray<DiskDevice> Disks
    {
        get => [.. Devices.OfType<DiskDevice>()];
        init => Devices = [.. value, .. Devices.Where(d => d is not DiskDevice)];
    }

    /// <summary>The drives, and the flash chip with the firmware's variables behind them if there is one.</summary>
    public ImmutableArray<DiskDevice> DisksAndFlash => Os.Firmware is not { Variables: { } path } firmware ? Disks
        : Disks.Add(new DiskDevice
        {
            Target = DiskDevice.FlashTarget, Kind = DiskKind.Flash, Source = path, Format = firmware.VariablesFormat,
        });

    /// <summary>The definition with another device in the place of one of its own.</summary>
    public DomainDefinition With(Device device, Device replacement) => this with
    {
        Devices = [.. Devices.Select(d => ReferenceEquals(d, device) ? replacement : d)],
    };

    /// <summary>Whether both have the same image in a drive, so that one is a later state of the other.</summary>
    public bool HasSameDisk(DomainDefinition other, string target)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Identity(this, target) is { } one && Identity(other, target) == one;

        static (string? Source, StorageType Type, ImageFormat Format, bool ReadOnly)? Identity(
            DomainDefinition definition, string target) =>
            definition.DisksAndFlash.FirstOrDefault(d => d.Target == target) is { } disk
                ? (disk.Source, disk.Type, disk.Format, disk.ReadOnly) : null;
    }

    /// <summary>Whether it has ends on the host that one process at a time can have: tap devices and ports.</summary>
    public bool HasExclusiveEnds => Devices.Any(d =>
        d is NetworkDevice { Tap: not null } or NetworkDevice { Forwards.Count: > 0 } or GraphicsDevice { Port: > 0, Socket: null });

    /// <summary>Its TPM; null if it has none.</summary>
    public TpmDevice? Tpm => Devices.OfType<TpmDevice>().FirstOrDefault();

    /// <summary>What prevents a start; empty for most.</summary>
    public ImmutableArray<Obstacle> Obstacles => ObstacleSearch.In(this);
}
