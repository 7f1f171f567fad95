using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A domain as its XML defines it.</summary>
public sealed record DomainDefinition
{
    /// <summary>Its uuid; generated when the XML has none.</summary>
    public required DomainId Id { get; init; }

    /// <summary>Its name, unique within a home.</summary>
    public required string Name { get; init; }

    /// <summary>The RAM the guest starts with.</summary>
    public required ByteCount Memory { get; init; }

    /// <summary>The drives, in document order.</summary>
    public ImmutableArray<DiskDevice> Disks { get; init; } = [];
}
