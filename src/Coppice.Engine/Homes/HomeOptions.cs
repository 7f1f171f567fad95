using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What a home is opened with.</summary>
public sealed record HomeOptions
{
    /// <summary>The absolute path of the folder; it is made when the first domain is defined.</summary>
    public required string Path { get; init; }

    /// <summary>The hypervisor that runs its domains.</summary>
    public required IHypervisor Hypervisor { get; init; }

    /// <summary>The storage that holds their disks.</summary>
    public required IStorage Storage { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where new ids come from; tests give a seed.</summary>
    public IdSource Ids { get; init; } = new(Files.RandomBytes.Fill);
}
