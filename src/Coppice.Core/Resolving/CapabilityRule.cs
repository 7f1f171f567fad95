using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a driver has to be able to do for one thing to be kept in one way.</summary>
/// <param name="Domain">While the domain does this.</param>
/// <param name="Memory">With the memory kept so; the resolver knows no omitted memory any more.</param>
/// <param name="Disk">For a writable disk that takes part so; null for the memory itself.</param>
/// <param name="Needed">The capability.</param>
/// <param name="Instead">What the user can ask for instead.</param>
internal sealed record CapabilityRule(Activities Domain, MemoryAsks Memory, DiskMode? Disk, Capability Needed, string Instead)
{
    private const string MemoryInFile = "ask for external memory and disks";
    private const string DisksExternal = "ask for external disks";
    private const string DisksInternal = "ask for an internal snapshot of the disk";

    /// <summary>All rules. Whatever a snapshot keeps needs the sum of those that match.</summary>
    public static ImmutableArray<CapabilityRule> All { get; } =
    [
        new(Activities.Saved, MemoryAsks.Any, null, Capability.SavedDomain, "start the domain first"),
        new(Activities.Active, MemoryAsks.External, null, Capability.ExternalMemory, "leave the memory out"),
        new(Activities.Online, MemoryAsks.Internal, null, Capability.InternalMemory, MemoryInFile),
        new(Activities.Saved, MemoryAsks.Internal, null, Capability.SavedInternalMemory, MemoryInFile),
        new(Activities.Inactive, MemoryAsks.Any, DiskMode.External, Capability.OfflineExternalDisk, DisksInternal),
        new(Activities.Inactive, MemoryAsks.Any, DiskMode.Internal, Capability.OfflineInternalDisk, DisksExternal),
        new(Activities.Online, MemoryAsks.None, DiskMode.External, Capability.OnlineExternalDiskOnly, "keep the memory as well"),
        new(Activities.Online, MemoryAsks.None, DiskMode.Internal, Capability.OnlineInternalDiskOnly, DisksExternal),
        new(Activities.Active, MemoryAsks.External, DiskMode.Internal, Capability.ExternalMemoryInternalDisk, DisksExternal),
        new(Activities.Active, MemoryAsks.Internal, DiskMode.External, Capability.InternalMemoryExternalDisk, MemoryInFile),
        new(Activities.Active, MemoryAsks.Internal, DiskMode.None, Capability.InternalMemoryExternalDisk, MemoryInFile),
        new(Activities.Any, MemoryAsks.Any, DiskMode.Manual, Capability.ManualDisk, "ask for an external snapshot of the disk"),
    ];

    /// <summary>Whether this concerns a thing kept so; a null disk stands for the memory.</summary>
    public bool Concerns(Activities domain, MemoryMode memory, DiskMode? disk) =>
        Domain.HasFlag(domain) && Memory.HasFlag(AsAsk(memory)) && Disk == disk;

    private static MemoryAsks AsAsk(MemoryMode mode) => mode switch
    {
        MemoryMode.Internal => MemoryAsks.Internal,
        MemoryMode.External => MemoryAsks.External,
        _ => MemoryAsks.None,
    };
}

/// <summary>A capability that a snapshot needs, for what, and what to ask for instead.</summary>
internal sealed record CapabilityNeed(Capability Capability, string Subject, string Instead);
