using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What refers to layers and memory, and so keeps them.</summary>
public enum ReferenceKind
{
    /// <summary>A snapshot.</summary>
    Snapshot,

    /// <summary>A head that a revert left.</summary>
    Tip,

    /// <summary>What the domain uses now.</summary>
    Head,
}

/// <summary>What one reference takes on disk.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Name">The name of the snapshot, the id of the tip, or <c>head</c>.</param>
/// <param name="Own">
/// What would be freed if it alone went: files that nothing else needs, that have no other names and that no other domain
/// borrows.
/// </param>
/// <param name="Shared">The other files that it needs: others need them too, or they are not Coppice's for this domain.</param>
/// <param name="Memory">Its memory image, counted in one of the two already.</param>
/// <param name="IsInside">It keeps something inside images, whose bytes are those of the images and not told apart.</param>
public sealed record ReferenceUsage(
    ReferenceKind Kind, string Name, ByteCount Own, ByteCount Shared, ByteCount Memory, bool IsInside);

/// <summary>
/// What the snapshots, tips and the head of a domain take on disk: allocated bytes, so that holes take nothing. A file counts
/// once, whatever it is called.
/// </summary>
/// <param name="References">The snapshots, oldest first, the tips and the head.</param>
/// <param name="Total">All files that they need.</param>
/// <param name="Brought">Those of them that Coppice did not make for the domain: the user brought them, or another domain lends
/// them.</param>
/// <param name="Linked">Those of them that have names elsewhere too, such as in a fork; they stay if all of these references
/// go.</param>
public sealed record DomainUsage(ImmutableArray<ReferenceUsage> References, ByteCount Total, ByteCount Brought, ByteCount Linked)
{
    /// <summary>Computes it.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="files">What is known of the files that it names; what is missing takes nothing.</param>
    public static DomainUsage Of(Catalog catalog, ImmutableDictionary<string, FileObservation> files)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(files);
        var graph = LayerGraph.Of(catalog);
        var references = Named(catalog).Select(r => (Reference: r, Files: r.Files(graph, files))).ToArray();
        var users = references.SelectMany(r => r.Files.Keys).CountBy(identity => identity).ToDictionary();
        var lent = graph.Lent().Select(id => graph[id].Path).Where(files.ContainsKey).Select(path => files[path].Identity).ToHashSet();
        var all = references.SelectMany(r => r.Files.Values).DistinctBy(f => f.Seen.Identity).ToArray();
        return new DomainUsage(
            [
                .. references.Select(r => new ReferenceUsage(
                    r.Reference.Kind, r.Reference.Name, Sum(r.Files.Values.Where(IsOwn)), Sum(r.Files.Values.Where(f => !IsOwn(f))),
                    Sum(r.Files.Values.Where(f => f.IsMemory)), r.Reference.Tops.Any(t => graph[t].Inside is not null))),
            ],
            Sum(all), Sum(all.Where(f => f.IsBrought)), Sum(all.Where(f => f.Seen.Links > 1)));

        bool IsOwn(UsedFile file) => !file.IsBrought && !lent.Contains(file.Seen.Identity) && file.Seen.Links == 1 && users[file.Seen.Identity] == 1;
    }

    private static IEnumerable<Reference> Named(Catalog catalog)
    {
        var snapshots = catalog.Snapshots.Values.OrderBy(s => s.CreatedAt).ThenBy(s => s.Name, StringComparer.Ordinal);
        foreach (var snapshot in snapshots)
        {
            ShortId[] memory = snapshot.Memory.Layer is { } layer ? [layer] : [];
            yield return new Reference(
                ReferenceKind.Snapshot, snapshot.Name, [.. snapshot.Disks.Where(d => d.IsKept).Select(d => d.Layer), .. memory], [snapshot.Memory]);
        }

        foreach (var tip in catalog.Tips)
        {
            yield return new Reference(
                ReferenceKind.Tip, tip.Id.ToString(), [.. tip.Head.Disks.Select(d => d.Layer)], [tip.Memory, tip.Head.Saved?.Image ?? MemoryImage.None]);
        }

        yield return new Reference(
            ReferenceKind.Head, "head", [.. catalog.Head.Disks.Select(d => d.Layer)], [catalog.Head.Saved?.Image ?? MemoryImage.None]);
    }

    private static ByteCount Sum(IEnumerable<UsedFile> files) =>
        files.Aggregate(default(ByteCount), (sum, f) => sum + f.Seen.Allocated);

    /// <summary>A file that a reference needs.</summary>
    private sealed record UsedFile(FileObservation Seen, bool IsBrought, bool IsMemory);

    /// <summary>What keeps layers and memory.</summary>
    private sealed record Reference(ReferenceKind Kind, string Name, ImmutableArray<ShortId> Tops, ImmutableArray<MemoryImage> Memories)
    {
        /// <summary>All files that it needs, by what they are.</summary>
        public Dictionary<string, UsedFile> Files(LayerGraph graph, ImmutableDictionary<string, FileObservation> files)
        {
            var layers = Tops.SelectMany(t => graph.Chain(t)).SelectMany(l => l.Inside is { } place ? graph.Chain(place.Holder).Prepend(l) : [l])
                .Select(l => (l.Path, IsBrought: l.Origin is not LayerOrigin.Coppice && l.Inside is null, IsMemory: false));
            var memories = Memories.Where(m => m.File is not null)
                .Select(m => (Path: m.File!, IsBrought: m.Origin is not LayerOrigin.Coppice, IsMemory: true));
            return layers.Concat(memories).Where(f => files.ContainsKey(f.Path))
                .Select(f => new UsedFile(files[f.Path], f.IsBrought, f.IsMemory)).GroupBy(f => f.Seen.Identity)
                .ToDictionary(g => g.Key, g => g.Aggregate((a, b) => a with { IsBrought = a.IsBrought || b.IsBrought }));
        }
    }
}
