using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>The images that a domain uses. They are compared by what they are, since one image may have many names.</summary>
/// <param name="Domain">The name of the domain.</param>
/// <param name="Drives">The images of each drive, or of all.</param>
/// <param name="Written">Those of them that are written.</param>
/// <param name="Made">Those of them that Coppice made, and will remove.</param>
internal sealed record ImageUse(
    string Domain, ImmutableArray<ImmutableArray<string>> Drives, ImmutableArray<string> Written, ImmutableArray<string> Made)
{
    public IEnumerable<string> All => Drives.SelectMany(paths => paths);

    /// <summary>
    /// Those of them that the domain's catalog knows as shared with forks, or with what it is a fork of: nobody writes them, and
    /// whoever goes last removes them.
    /// </summary>
    public ImmutableArray<string> Shared { get; init; } = [];

    /// <summary>What a definition would use.</summary>
    public static ImageUse Of(DomainDefinition definition, ImmutableArray<ImmutableArray<Layer>> drives) => new(
        definition.Name,
        [.. drives.Select(chain => chain.Select(l => l.Path).ToImmutableArray())],
        WrittenBy(definition, drives.Select(chain => chain[0])),
        [])
    {
        Shared =
        [
            .. drives.SelectMany(chain => chain).Where(l => l.Origin is not LayerOrigin.User).Select(l => l.Path)
                .Except(WrittenBy(definition, drives.Select(chain => chain[0]))),
        ],
    };

    /// <summary>What a domain uses, with all that its snapshots and tips rely on.</summary>
    public static ImageUse Of((Catalog Catalog, DomainDefinition Definition) domain)
    {
        var (catalog, definition) = domain;
        var graph = LayerGraph.Of(catalog);
        var heads = catalog.Head.Disks.Concat(catalog.Tips.SelectMany(t => t.Head.Disks)).Select(d => graph[d.Layer]);
        return new ImageUse(
            catalog.Name,
            [[.. graph.Relied().Select(l => l.Path)]],
            [.. WrittenBy(definition, heads), .. catalog.Jobs.Select(j => j.Kept).Concat(catalog.Mirrors.Select(m => m.Target)).Where(graph.Has).Select(id => graph[id].Path)],
            [.. graph.All.Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null }).Select(l => l.Path)]);
    }

    /// <summary>
    /// No image that one drive writes may be used by another drive; what both only read can be shared, unless it is a layer
    /// that Coppice made for another domain and removes when that no longer needs it.
    /// </summary>
    /// <param name="others">The other domains.</param>
    /// <param name="identify">What tells one image from another.</param>
    /// <exception cref="CoppiceException">
    /// An image is used twice here (<see cref="ErrorKind.InvalidInput"/>), or by another domain
    /// (<see cref="ErrorKind.AlreadyExists"/>), which is named.
    /// </exception>
    public void RequireFree(IEnumerable<ImageUse> others, Func<string, string> identify)
    {
        var uses = All.Select(identify).ToHashSet(StringComparer.Ordinal);
        var found = All.Except(Shared).Select(identify).ToHashSet(StringComparer.Ordinal);
        var writes = Written.Select(identify).ToHashSet(StringComparer.Ordinal);
        if (Written.FirstOrDefault(w => Drives.Count(paths => paths.Any(p => identify(p) == identify(w))) > 1) is { } twice)
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"domain '{Domain}'", $"uses the image {twice}, to which a disk writes, more than once",
                "give each disk an image of its own");
        }

        foreach (var other in others)
        {
            if (other.Made.FirstOrDefault(p => found.Contains(identify(p))) is { } made)
            {
                throw new CoppiceException(
                    ErrorKind.AlreadyExists, $"image {made}",
                    $"is a layer of domain '{other.Domain}', and goes when that no longer needs it",
                    "make a copy of it, with: qemu-img convert");
            }

            var taken = other.Written.FirstOrDefault(p => uses.Contains(identify(p)))
                ?? other.All.FirstOrDefault(p => writes.Contains(identify(p)));
            if (taken is not null)
            {
                throw new CoppiceException(
                    ErrorKind.AlreadyExists, $"image {taken}", $"is used by domain '{other.Domain}'",
                    "give each domain images of its own, or make it read-only in both");
            }
        }
    }

    // A drive that the definition does not have is a tip's, and may be one that is written.
    private static ImmutableArray<string> WrittenBy(DomainDefinition definition, IEnumerable<Layer> tops)
    {
        var reading = definition.DisksAndFlash.Where(d => !d.IsWritten).Select(d => d.Target)
            .ToHashSet(StringComparer.Ordinal);
        return [.. tops.Where(l => !reading.Contains(l.Disk)).Select(l => l.Path)];
    }
}
