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

    /// <summary>Images of the chains that somebody is about to use, which were written after snapshots froze them.</summary>
    public ImmutableArray<RewrittenLayer> Rewritten { get; init; } = [];

    /// <summary>The overlays that the user made beforehand, by path.</summary>
    public ImmutableDictionary<string, LayerObservation> Overlays { get; init; } =
        ImmutableDictionary<string, LayerObservation>.Empty;

    /// <summary>What the driver can do.</summary>
    public required CapabilitySet Capabilities { get; init; }

    /// <summary>When this was observed.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>New ids for whatever the plan makes.</summary>
    public required IdSource Ids { get; init; }
}

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
