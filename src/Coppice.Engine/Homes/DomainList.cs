using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>A domain as a reader sees it.</summary>
/// <param name="Folder">Where it keeps its things.</param>
/// <param name="Catalog">Its catalog.</param>
/// <param name="Definition">The definition in force.</param>
/// <param name="Hypervisor">What it is doing.</param>
public sealed record DomainView(DomainFolder Folder, Catalog Catalog, DomainDefinition Definition, HypervisorObservation Hypervisor)
{
    /// <summary>What became of it just now, because it was transient and had ended (R166).</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>Its layers without a name, and why they are there. Only where one domain was asked for.</summary>
    public ImmutableArray<LeftLayer> Left { get; init; } = [];

    /// <summary>Its merged layers whose files have not got the names that were chosen for them (R201). Likewise.</summary>
    public ImmutableArray<WaitingRename> Renames { get; init; } = [];
}

/// <summary>A domain that cannot be read. It does not hide the others.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Error">What is wrong.</param>
public sealed record BrokenDomain(DomainFolder Folder, CoppiceException Error);

/// <summary>The domains of a home.</summary>
/// <param name="Domains">Those that can be read, by name.</param>
/// <param name="Broken">Those that cannot.</param>
public sealed record DomainList(ImmutableArray<DomainView> Domains, ImmutableArray<BrokenDomain> Broken)
{
    /// <summary>What became just now of domains that were transient and had ended (R166).</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];
}
