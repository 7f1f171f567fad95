using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What a snapshot of ours keeps, down to the lowest image: with this a snapshot can be put back whose record is gone. The
/// elements of libvirt's format say less.
/// </summary>
public sealed record SnapshotContent
{
    /// <summary>What the domain was doing.</summary>
    public required DomainState State { get; init; }

    /// <summary>When it was taken; <c>&lt;creationTime&gt;</c> has whole seconds.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The internal snapshot that holds internal memory.</summary>
    public ShortId? MemoryLayer { get; init; }

    /// <summary>How an external memory image is laid out.</summary>
    public MemoryFormat MemoryFormat { get; init; }

    /// <summary>The version of the hypervisor that wrote the memory, where that counts.</summary>
    public string? MemoryWrittenBy { get; init; }

    /// <summary>The agent in the guest had frozen its file systems (R91).</summary>
    public bool IsQuiesced { get; init; }

    /// <summary>What the domain's TPM kept.</summary>
    public ShortId? Tpm { get; init; }

    /// <summary>Every disk of the domain, the firmware's variables included.</summary>
    public ImmutableArray<DiskSnapshot> Disks { get; init; } = [];

    /// <summary>The layers that it keeps, what they build on, and the images that hold internal ones, each once.</summary>
    public ImmutableArray<Layer> Layers { get; init; } = [];

    /// <summary>When frozen images and the memory image were last written, by path; one that was not there is left out.</summary>
    public ImmutableSortedDictionary<string, DateTimeOffset> Modified { get; init; } =
        ImmutableSortedDictionary.Create<string, DateTimeOffset>(StringComparer.Ordinal);

    /// <summary>The content of a snapshot.</summary>
    /// <param name="catalog">The catalog it stands in.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="files">What is known of the files of <see cref="FrozenFiles"/>.</param>
    /// <exception cref="CoppiceException">
    /// A layer of the catalog is missing or listed twice (<see cref="ErrorKind.Damaged"/>).
    /// </exception>
    public static SnapshotContent Of(Catalog catalog, Snapshot snapshot, IReadOnlyDictionary<string, FileObservation> files)
    {
        var graph = LayerGraph.Of(catalog);
        var chains = Chains(graph, snapshot).ToArray();
        var holders = chains.Select(l => l.Inside).OfType<InternalPlace>().SelectMany(p => graph.Chain(p.Holder));
        return new SnapshotContent
        {
            State = snapshot.State,
            CreatedAt = snapshot.CreatedAt,
            MemoryLayer = snapshot.Memory.Layer,
            MemoryFormat = snapshot.Memory.Format,
            MemoryWrittenBy = snapshot.Memory.WrittenBy,
            IsQuiesced = snapshot.IsQuiesced,
            Tpm = snapshot.Tpm,
            Disks = snapshot.Disks,
            Layers = [.. chains.Concat(holders).DistinctBy(l => l.Id)],
            Modified = FrozenFiles(catalog, snapshot).Where(files.ContainsKey)
                .ToImmutableSortedDictionary(f => f, f => files[f].ModifiedAt, StringComparer.Ordinal),
        };
    }

    /// <summary>The files that do not change any more: images that are frozen, and the memory image.</summary>
    public static ImmutableArray<string> FrozenFiles(Catalog catalog, Snapshot snapshot)
    {
        var images = Chains(LayerGraph.Of(catalog), snapshot).Where(l => l.Inside is null).Select(l => l.Path);
        return [.. images.Concat(snapshot.Memory.File is { } memory ? [memory] : []).Distinct(StringComparer.Ordinal)];
    }

    private static IEnumerable<Layer> Chains(LayerGraph graph, Snapshot snapshot) =>
        snapshot.Disks.Where(d => d.IsKept).Select(d => d.Layer).Concat(snapshot.Memory.Layer is { } memory ? [memory] : [])
            .SelectMany(id => graph.Chain(id)).DistinctBy(l => l.Id);
}
