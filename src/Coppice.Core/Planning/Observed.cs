using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Everything a plan is made from. Read once, before planning; planners read nothing else.</summary>
public sealed record Observed
{
    /// <summary>Where the domain keeps its things.</summary>
    public required DomainFolder Folder { get; init; }

    /// <summary>The catalog.</summary>
    public required Catalog Catalog { get; init; }

    /// <summary>The definition of the head.</summary>
    public required DomainDefinition Definition { get; init; }

    /// <summary>The definitions of head, snapshots and tips; for a plain command to the guest, of the head alone.</summary>
    public required ImmutableDictionary<ShortId, DomainDefinition> Definitions { get; init; }

    /// <summary>What the hypervisor says.</summary>
    public required HypervisorObservation Hypervisor { get; init; }

    /// <summary>
    /// What the storage says about the layer of each disk of the head, and about those that a revert leads to or that are put
    /// back.
    /// </summary>
    public required ImmutableDictionary<ShortId, LayerObservation> Layers { get; init; }

    /// <summary>The files that Coppice made for the domain, by path.</summary>
    public ImmutableDictionary<string, FileObservation> Files { get; init; } = ImmutableDictionary<string, FileObservation>.Empty;

    /// <summary>The memory volume of the home; null if it has none.</summary>
    public MemoryVolume? Volume { get; init; }

    /// <summary>
    /// The RAM of the domain that runs, if a checkpoint of it can be a clone of that file; null otherwise.
    /// </summary>
    public RamFile? ClonableRam => Volume is not null && Hypervisor.Ram is { } path ? Volume.Rams.GetValueOrDefault(path) : null;

    /// <summary>The spares of the domain that still wait.</summary>
    public ImmutableHashSet<ShortId> Waiting { get; init; } = [];

    /// <summary>The spares of the domain of which it is certain that they have ended.</summary>
    public ImmutableHashSet<ShortId> EndedSpares { get; init; } = [];

    /// <summary>What the spares of all domains of the home take of the host's memory; only where spares are asked for.</summary>
    public ByteCount WaitingMemory { get; init; }

    /// <summary>How much memory the host has; likewise.</summary>
    public ByteCount HostMemory { get; init; }

    /// <summary>Where the new domain goes, if one is forked.</summary>
    public ForkPlaces? Fork { get; init; }

    /// <summary>What there is where an export goes, if there is one.</summary>
    public PlaceObservation? ExportPlace { get; init; }

    /// <summary>Loans whose borrowers are gone, or no longer use what they had borrowed.</summary>
    public ImmutableArray<Loan> StaleLoans { get; init; } = [];

    /// <summary>The catalog as it is once the loans that are over are off its record.</summary>
    public Catalog CatalogLent => Catalog.Without(StaleLoans);

    /// <summary>Images of the chains that somebody is about to use, which were written after snapshots froze them.</summary>
    public ImmutableArray<RewrittenLayer> Rewritten { get; init; } = [];

    /// <summary>The overlays that the user made beforehand, by path.</summary>
    public ImmutableDictionary<string, LayerObservation> Overlays { get; init; } =
        ImmutableDictionary<string, LayerObservation>.Empty;

    /// <summary>What the processes say about the merges on record that have one.</summary>
    public ImmutableDictionary<ShortId, MergeObservation> Merges { get; init; } = ImmutableDictionary<ShortId, MergeObservation>.Empty;

    /// <summary>What merges that may come about would write, by the lower layer.</summary>
    public ImmutableDictionary<ShortId, MeasuredMerge> MergeCosts { get; init; } = ImmutableDictionary<ShortId, MeasuredMerge>.Empty;

    /// <summary>The images that other domains use, by <see cref="FileObservation.Identity"/>.</summary>
    public ImmutableHashSet<string> UsedElsewhere { get; init; } = [];

    /// <summary>The stored definitions of the domain that nothing names any more.</summary>
    public ImmutableArray<string> StrayDefinitions { get; init; } = [];

    /// <summary>
    /// The process that has the images of a head open once that is committed and cleaned up; null if none does.
    /// </summary>
    public ShortId? LiveAfter(Head next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return next.Process == Catalog.Head.Process && !Hypervisor.IsAlive ? null : next.Process;
    }

    /// <summary>
    /// Whether a layer may hold something that was written to it: it is neither known to be empty nor to be gone.
    /// </summary>
    public bool MayHoldWrites(ShortId layer) => Layers.GetValueOrDefault(layer) is not ({ Exists: false } or { IsEmpty: true });

    /// <summary>
    /// Whether the file of a layer has a name that is not among those of this domain: it is not lost when all of these go (R176).
    /// </summary>
    public bool IsKeptElsewhere(Layer layer)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return Files.TryGetValue(layer.Path, out var file) && file.Links > Files.Values.Count(f => f.Identity == file.Identity);
    }

    /// <summary>
    /// Whether the memory of the snapshot of which a branch is made can have a second name where the branch wants it.
    /// </summary>
    public bool TakesMemoryLink { get; init; }

    /// <summary>What the driver can do.</summary>
    public required CapabilitySet Capabilities { get; init; }

    /// <summary>When this was observed.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>New ids for whatever the plan makes.</summary>
    public required IdSource Ids { get; init; }
}

/// <summary>What a merge would write, as far as that can be told.</summary>
/// <param name="Cost">By direction; null if the images cannot be read.</param>
/// <param name="Problem">Why they cannot.</param>
public sealed record MeasuredMerge(MergeCost? Cost, string? Problem = null);

/// <summary>Hands out ids. Planners take theirs from here so that a seed repeats a plan.</summary>
/// <param name="next">Fills a buffer with random bytes.</param>
public sealed class IdSource(Action<Span<byte>> next)
{
    /// <summary>A new short id.</summary>
    public ShortId NextShort()
    {
        Span<byte> bytes = stackalloc byte[4];
        next(bytes);
        return new ShortId(Convert.ToHexStringLower(bytes));
    }

    /// <summary>A new snapshot id.</summary>
    public SnapshotId NextSnapshot() => new(NextGuid());

    /// <summary>A new MAC address, in the range that QEMU uses for its guests.</summary>
    public string NextMac()
    {
        Span<byte> bytes = stackalloc byte[3];
        next(bytes);
        return $"52:54:00:{bytes[0]:x2}:{bytes[1]:x2}:{bytes[2]:x2}";
    }

    /// <summary>A random uuid (RFC 9562, version 4).</summary>
    public Guid NextGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        next(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
