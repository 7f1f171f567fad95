using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What is to be known of the place of a domain that is going to be forked.</summary>
public sealed record ForkPlaces
{
    /// <summary>The new domain.</summary>
    public required DomainId Id { get; init; }

    /// <summary>Where it keeps its things; there is nothing yet.</summary>
    public required DomainFolder Folder { get; init; }

    /// <summary>Where it goes on from each layer that the snapshot reaches.</summary>
    public required ImmutableDictionary<ShortId, SharedPlace> Layers { get; init; }

    /// <summary>Whether the snapshot's memory image can have a second name in its folder.</summary>
    public bool TakesMemoryLink { get; init; }
}
