namespace Coppice.Core;

/// <summary>Where the CPU that the guest sees comes from (libvirt formatdomain, <c>&lt;cpu mode=&gt;</c>).</summary>
public enum CpuMode
{
    /// <summary>A named model with features added or removed; the only one that a sealed definition has.</summary>
    Custom,

    /// <summary>The named model nearest to the host's CPU; resolved when the definition is sealed.</summary>
    HostModel,

    /// <summary>The host's CPU as it is.</summary>
    HostPassthrough,

    /// <summary>Everything that the hypervisor can offer.</summary>
    Maximum,
}

/// <summary>What is asked of a CPU feature (libvirt formatdomain, <c>&lt;feature policy=&gt;</c>).</summary>
public enum CpuFeaturePolicy
{
    /// <summary>The guest sees it; refused if the host has it not.</summary>
    Require,

    /// <summary>The guest sees it even if the host has it not.</summary>
    Force,

    /// <summary>The guest sees it if the host has it.</summary>
    Optional,

    /// <summary>The guest does not see it.</summary>
    Disable,

    /// <summary>Refused if the host has it.</summary>
    Forbid,
}

/// <summary>A CPU feature.</summary>
/// <param name="Name">Its name, e.g. <c>avx2</c>.</param>
/// <param name="Policy">What is asked.</param>
public sealed record CpuFeature(string Name, CpuFeaturePolicy Policy);

/// <summary>The CPU that the guest sees (libvirt formatdomain, <c>&lt;cpu&gt;</c>).</summary>
public sealed record CpuSettings
{
    /// <summary>Where it comes from.</summary>
    public CpuMode Mode { get; init; }

    /// <summary>The model, for <see cref="CpuMode.Custom"/>, e.g. <c>qemu64</c>.</summary>
    public string? Model { get; init; }

    /// <summary>Whether another model may be used where this one is not available (<c>fallback=</c>); null if silent.</summary>
    public bool? Fallback { get; init; }

    /// <summary>
    /// Whether features that do not survive a migration are left out of <see cref="CpuMode.HostPassthrough"/>
    /// (<c>migratable=</c>); null if silent, which means yes.
    /// </summary>
    public bool? Migratable { get; init; }

    /// <summary>Features added to or removed from the model, in document order.</summary>
    public ValueList<CpuFeature> Features { get; init; } = [];
}

/// <summary>How virtual CPUs are arranged (libvirt formatdomain, <c>&lt;topology&gt;</c>).</summary>
/// <param name="Sockets">How many sockets there are.</param>
/// <param name="Dies">How many dies a socket has.</param>
/// <param name="Cores">How many cores a die has.</param>
/// <param name="Threads">How many threads a core has.</param>
public sealed record CpuTopology(int Sockets, int Dies, int Cores, int Threads)
{
    /// <summary>How many virtual CPUs that makes.</summary>
    public long Cpus => (long)Sockets * Dies * Cores * Threads;
}

/// <summary>
/// The sleep states that the firmware offers the guest (libvirt formatdomain, <c>&lt;pm&gt;</c>); null leaves one to the
/// driver.
/// </summary>
/// <param name="ToMemory">Whether the guest can sleep (S3).</param>
/// <param name="ToDisk">Whether it can hibernate (S4).</param>
public sealed record SleepStates(bool? ToMemory, bool? ToDisk);

/// <summary>A kind of device that the firmware boots from.</summary>
public enum BootDevice
{
    /// <summary>The first hard disk.</summary>
    HardDisk,

    /// <summary>A CD-ROM.</summary>
    Cdrom,

    /// <summary>The network.</summary>
    Network,

    /// <summary>A floppy.</summary>
    Floppy,
}

/// <summary>The machine and how it boots (libvirt formatdomain, <c>&lt;os&gt;</c> with type <c>hvm</c>).</summary>
public sealed record OsSettings
{
    /// <summary>The architecture; null if the definition leaves it open, which means x86_64.</summary>
    public string? Architecture { get; init; }

    /// <summary>
    /// The machine type, e.g. <c>pc</c>, <c>q35</c> or, once sealed, <c>pc-i440fx-7.2</c>; null means <c>pc</c>.
    /// </summary>
    public string? Machine { get; init; }

    /// <summary>
    /// Whether it is the machine without PCI. It has no versions: what a device keeps in memory may be another thing in another
    /// version of the hypervisor.
    /// </summary>
    public bool IsMicrovm => Machine == "microvm";

    /// <summary>UEFI firmware; null means BIOS.</summary>
    public FirmwareSettings? Firmware { get; init; }

    /// <summary>What the firmware tries, in turn.</summary>
    public ValueList<BootDevice> BootOrder { get; init; } = [];

    /// <summary>The absolute path of a kernel that is started without a boot loader.</summary>
    public string? Kernel { get; init; }

    /// <summary>The absolute path of its initial RAM disk.</summary>
    public string? Initrd { get; init; }

    /// <summary>Its command line.</summary>
    public string? CommandLine { get; init; }
}

/// <summary>Parts of the machine that can be left out (libvirt formatdomain, <c>&lt;features&gt;</c>).</summary>
[Flags]
public enum MachineFeatures
{
    /// <summary>None of them.</summary>
    None = 0,

    /// <summary>ACPI tables; without them a guest does not hear the power button.</summary>
    Acpi = 1,

    /// <summary>Local APICs.</summary>
    Apic = 2,

    /// <summary>Physical address extension.</summary>
    Pae = 4,
}

/// <summary>What the guest's hardware clock shows at power on.</summary>
public enum ClockOffset
{
    /// <summary>Universal time.</summary>
    Utc,

    /// <summary>The host's local time.</summary>
    LocalTime,
}

/// <summary>What happens to ticks that the guest missed.</summary>
public enum TickPolicy
{
    /// <summary>They come late, at the normal rate.</summary>
    Delay,

    /// <summary>They come late, at a higher rate.</summary>
    CatchUp,

    /// <summary>Several become one.</summary>
    Merge,

    /// <summary>They are lost.</summary>
    Discard,
}

/// <summary>A timer of the machine (libvirt formatdomain, <c>&lt;timer&gt;</c>).</summary>
public sealed record ClockTimer
{
    /// <summary>libvirt's name for it: <c>rtc</c>, <c>pit</c>, <c>hpet</c>, <c>tsc</c>, <c>kvmclock</c> …</summary>
    public required string Name { get; init; }

    /// <summary>Whether the guest has it; null leaves it to the driver.</summary>
    public bool? Present { get; init; }

    /// <summary>What happens to missed ticks; null leaves it to the driver.</summary>
    public TickPolicy? TickPolicy { get; init; }

    /// <summary>What it follows: <c>guest</c>, <c>wall</c> …; null leaves it to the driver.</summary>
    public string? Track { get; init; }
}

/// <summary>The guest's clock (libvirt formatdomain, <c>&lt;clock&gt;</c>).</summary>
public sealed record ClockSettings
{
    /// <summary>What it shows at power on.</summary>
    public ClockOffset Offset { get; init; }

    /// <summary>Timers that differ from the usual, in document order.</summary>
    public ValueList<ClockTimer> Timers { get; init; } = [];
}

/// <summary>What follows when a guest ends (libvirt formatdomain, <c>&lt;on_poweroff&gt;</c> and its like).</summary>
public enum LifecycleAction
{
    /// <summary>The domain is off.</summary>
    Destroy,

    /// <summary>It starts again.</summary>
    Restart,

    /// <summary>It stays as it is, for a look.</summary>
    Preserve,

    /// <summary>It starts again under another name.</summary>
    RenameRestart,

    /// <summary>Its memory is dumped, then it is off; only after a crash.</summary>
    CoredumpDestroy,

    /// <summary>Its memory is dumped, then it starts again; only after a crash.</summary>
    CoredumpRestart,
}
