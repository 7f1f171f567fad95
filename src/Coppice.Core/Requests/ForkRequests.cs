using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a fork does once it is made.</summary>
public enum ForkState
{
    /// <summary>Nothing: it is off, or saved if the snapshot has memory, and its first start goes on from there.</summary>
    Off,

    /// <summary>It runs.</summary>
    Running,

    /// <summary>It stands still.</summary>
    Paused,
}

/// <summary>What becomes of the network cards of a fork.</summary>
public enum ForkNetwork
{
    /// <summary>
    /// New addresses, no ways in from the host; if its guest goes on from memory, the cables are pulled but for user networking.
    /// </summary>
    Guarded,

    /// <summary>New addresses, no ways in from the host, and all cables are pulled but for user networking.</summary>
    Down,

    /// <summary>All as it was.</summary>
    Keep,

    /// <summary>
    /// As <see cref="Guarded"/>; then, once a guest that goes on from memory runs, its cards are replaced by new ones, and the
    /// cables are as the snapshot had them.
    /// </summary>
    Renewed,

    /// <summary>New addresses, no ways in from the host, and every cable is pulled.</summary>
    Cut,
}

/// <summary>
/// Make a new domain that begins where a snapshot is (R8, R33, R228). The domain may run, and goes on as it does.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshot">The snapshot's name or uuid.</param>
/// <param name="Name">What the new domain is called.</param>
public sealed record ForkSnapshot(string Domain, string Snapshot, string Name) : DomainRequest("snapshot fork", Domain)
{
    /// <summary>The names of forks that are made after it: it is not made unless they are free too.</summary>
    public ImmutableArray<string> Following { get; init; } = [];

    /// <summary>What the new domain does.</summary>
    public ForkState State { get; init; }

    /// <summary>What becomes of its network cards.</summary>
    public ForkNetwork Network { get; init; }

    /// <summary>
    /// Its first process maps the memory image for reading, and shares what is cached of it with other forks; its checkpoints are streams
    /// until it is reverted or started anew. It has to go on at once.
    /// </summary>
    public bool SharesMemory { get; init; }

    /// <summary>It is made to be tried out and thrown away (<see cref="Persistence.Trial"/>).</summary>
    public bool IsTrial { get; init; }
}

/// <summary>Give another domain a disk that begins as a snapshot has it, while that domain runs or is off (R243).</summary>
/// <param name="Domain">The name or uuid of the domain that has the snapshot.</param>
/// <param name="Snapshot">The snapshot's name or uuid.</param>
/// <param name="Disk">The disk, by target.</param>
/// <param name="To">The name or uuid of the domain that gets it.</param>
public sealed record AttachSnapshotDisk(string Domain, string Snapshot, string Disk, string To)
    : DomainRequest("snapshot attach", Domain)
{
    /// <summary>What it is to be called there; null for the first name of its bus that is free.</summary>
    public string? Target { get; init; }

    /// <summary>How it is attached; null leaves that to the target, and is virtio without one.</summary>
    public DiskBus? Bus { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; init; }
}
