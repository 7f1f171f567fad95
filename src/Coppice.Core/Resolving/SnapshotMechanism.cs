using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>One complete way to take a snapshot: a choice of the matrix, applied to the disks of a domain.</summary>
internal sealed record SnapshotMechanism
{
    /// <summary>Where the memory goes.</summary>
    public required MemoryMode Memory { get; init; }

    /// <summary>The disk that holds internal memory; null if the memory goes elsewhere, or if none can hold it.</summary>
    public required string? MemoryDisk { get; init; }

    /// <summary>How each disk takes part.</summary>
    public required ImmutableArray<(DiskIntent Intent, DiskMode Mode)> Disks { get; init; }

    /// <summary>Whether every part has its place.</summary>
    public bool IsPossible => Memory != MemoryMode.Internal || MemoryDisk is not null;

    /// <summary>Fills in what a request leaves open.</summary>
    public static SnapshotMechanism Of(MatrixChoice choice, string? memoryDisk, ImmutableArray<DiskIntent> intents)
    {
        ImmutableArray<(DiskIntent Intent, DiskMode Mode)> disks = [.. intents.Select(i => (i, i.ModeOr(choice.OtherDisks)))];
        return new SnapshotMechanism
        {
            Memory = choice.Memory,
            MemoryDisk = choice.Memory == MemoryMode.Internal ? memoryDisk ?? HolderOfMemory(disks) : null,
            Disks = disks,
        };
    }

    /// <summary>What a driver has to be able to do for it.</summary>
    public IEnumerable<CapabilityNeed> Needs(Activities domain, string domainName)
    {
        var memory = $"memory of domain '{domainName}'";
        foreach (var rule in CapabilityRule.All.Where(r => r.Concerns(domain, Memory, null)))
        {
            yield return new CapabilityNeed(rule.Needed, memory, rule.Instead);
        }

        foreach (var (intent, mode) in Disks.Where(d => d.Intent.IsWritable))
        {
            foreach (var rule in CapabilityRule.All.Where(r => r.Concerns(domain, Memory, mode)))
            {
                var disk = $"disk '{intent.Device.Target}' of domain '{domainName}'";
                yield return new CapabilityNeed(rule.Needed, disk, rule.Instead);
            }
        }

        if (Disks.Any(d => d.Mode == DiskMode.Internal) && Disks.Any(d => d.Intent.IsChoice && d.Mode == DiskMode.External))
        {
            yield return new CapabilityNeed(
                Capability.MixedDisks, $"disks of domain '{domainName}'", "ask for all internal or all external disks");
        }
    }

    // Best a disk that is snapshotted inside its image anyway; then one whose layer freezes and keeps the memory with it.
    private static string? HolderOfMemory(ImmutableArray<(DiskIntent Intent, DiskMode Mode)> disks) =>
        disks.Where(d => d.Intent.CanBeInternal)
            .OrderBy(d => d.Mode switch { DiskMode.Internal => 0, DiskMode.External => 1, _ => 2 })
            .FirstOrDefault().Intent?.Device.Target;
}
