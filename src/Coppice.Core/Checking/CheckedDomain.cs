using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What the tables of an image say about themselves.</summary>
public enum ImageHealth
{
    /// <summary>They fit.</summary>
    Sound,

    /// <summary>Clusters are counted as used that nothing uses: no data is concerned.</summary>
    Leaking,

    /// <summary>They contradict each other.</summary>
    Corrupt,

    /// <summary>They do not fit, but somebody writes to it, so that it cannot be told.</summary>
    InUse,
}

/// <summary>A process of a hypervisor below one home.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Domain">The uuid of the domain that it was started for; null if that is not noted.</param>
/// <param name="IsAlive">It runs.</param>
/// <param name="HasEnded">It is certain that it has ended. Neither is true in doubt.</param>
public sealed record ProcessObservation(ShortId Id, string? Domain, bool IsAlive, bool HasEnded)
{
    /// <summary>About how much of the host's memory it takes as a spare; null if it is none that waits.</summary>
    public ByteCount? Waits { get; init; }
}

/// <summary>Everything a check of one domain is made from. Read once; <see cref="DomainCheck"/> reads nothing else.</summary>
public sealed record CheckedDomain
{
    /// <summary>Where it keeps its things.</summary>
    public required DomainFolder Folder { get; init; }

    /// <summary>Its catalog.</summary>
    public required Catalog Catalog { get; init; }

    /// <summary>The definition in force; null if it cannot be read.</summary>
    public DomainDefinition? Definition { get; init; }

    /// <summary>What the hypervisor says; null if the process does not answer, or the definition cannot be read.</summary>
    public HypervisorObservation? Hypervisor { get; init; }

    /// <summary>The processes that were started for the domain.</summary>
    public ImmutableArray<ProcessObservation> Processes { get; init; } = [];

    /// <summary>What the storage says against the chain of a layer, by layer.</summary>
    public ImmutableDictionary<ShortId, CoppiceException> Refusals { get; init; } = ImmutableDictionary<ShortId, CoppiceException>.Empty;

    /// <summary>What the catalog names and is there, by path: images, memory, definitions, what TPMs keep.</summary>
    public ImmutableDictionary<string, FileObservation> Named { get; init; } = ImmutableDictionary<string, FileObservation>.Empty;

    /// <summary>What lies where nobody but Coppice puts files for the domain, by path.</summary>
    public ImmutableDictionary<string, FileObservation> Stored { get; init; } = ImmutableDictionary<string, FileObservation>.Empty;

    /// <summary>
    /// The files that other domains of the home name, as their identities; null if one of these cannot be read.
    /// </summary>
    public ImmutableHashSet<string>? NamedByOthers { get; init; }

    /// <summary>The internal snapshots that images hold, by the layer that has the image to itself.</summary>
    public ImmutableDictionary<ShortId, ImmutableArray<string>> Internals { get; init; } =
        ImmutableDictionary<ShortId, ImmutableArray<string>>.Empty;

    /// <summary>What the tables of images say that nobody uses, by layer.</summary>
    public ImmutableDictionary<ShortId, ImageHealth> Health { get; init; } = ImmutableDictionary<ShortId, ImageHealth>.Empty;

    /// <summary>Images that were written after snapshots froze them.</summary>
    public ImmutableArray<RewrittenLayer> Rewritten { get; init; } = [];

    /// <summary>Files of the catalog that its root does not name.</summary>
    public ImmutableArray<string> UnnamedRecords { get; init; } = [];

    /// <summary>What is borrowed from a domain whose catalog does not say so, with the name of that domain.</summary>
    public ImmutableArray<(Layer Layer, string Owner)> Unlent { get; init; } = [];

    /// <summary>What was found while all this was read.</summary>
    public ImmutableArray<Finding> Found { get; init; } = [];

    /// <summary>The layers of images that a process has open, or may have.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="hypervisor">What the hypervisor says; null if it says nothing.</param>
    public static ImmutableHashSet<ShortId> InUse(Catalog catalog, HypervisorObservation? hypervisor)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        var graph = LayerGraph.Of(catalog);
        var head = hypervisor is { IsAlive: false } ? [] : catalog.Head.Disks.SelectMany(d => graph.Chain(d.Layer)).Select(l => l.Id);
        return [.. head, .. InMerge(catalog), .. catalog.Mirrors.SelectMany(m => graph.Chain(m.Source)).Select(l => l.Id), .. catalog.Mirrors.Select(m => m.Target)];
    }

    /// <summary>
    /// The layers that merges on record change: both of each, and what builds on them, whose links are about to change.
    /// </summary>
    public static ImmutableHashSet<ShortId> InMerge(Catalog catalog)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        if (catalog.Jobs.IsEmpty)
        {
            return [];
        }

        var graph = LayerGraph.Of(catalog);
        var merged = catalog.Jobs.SelectMany(j => new[] { j.Lower, j.Upper }).ToHashSet();
        return [.. graph.All.Where(l => graph.Chain(l.Id).Any(below => merged.Contains(below.Id))).Select(l => l.Id)];
    }
}
