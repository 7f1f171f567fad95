using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;
using Coppice.Storage;

namespace Coppice.Tests.Trees;

/// <summary>The document of a snapshot that was forgotten, and what that held.</summary>
internal sealed record KeptDocument(DomainId Domain, SnapshotDocument Document, Contents Held);

/// <summary>A home in which random trees grow, and in which everything that they hold can be read and compared.</summary>
internal abstract class Orchard : IDisposable
{
    private readonly HashSet<string> _shared = new(StringComparer.Ordinal);
    private readonly HashSet<string> _images = new(StringComparer.Ordinal);

    /// <summary>Whether domains can be started.</summary>
    public abstract bool HasMachine { get; }

    /// <summary>Domains that may be defined; some of them are.</summary>
    public virtual ImmutableArray<DomainDefinition> Definitions => [];

    /// <summary>An image for a disk more.</summary>
    public virtual NewDisk Spare => throw new InvalidOperationException("there is none");

    /// <summary>Where a user may want a copy of a disk.</summary>
    /// <param name="number">Tells one from another.</param>
    public virtual string NewImage(int number) => throw new InvalidOperationException("there is no machine that copies");

    /// <summary>The documents of snapshots that were forgotten; null where nobody keeps them.</summary>
    public IList<KeptDocument>? Documents { get; init; }

    /// <summary>As the next command would: nothing is known but what is on disk.</summary>
    public abstract Home Open();

    /// <summary>Whether the images of a definition are as its guest must find them.</summary>
    public virtual bool CanDefine(DomainDefinition definition) => true;

    /// <summary>Somebody writes to the disks that may be written: a guest that runs, or whoever has the image of one that is off.</summary>
    public abstract Task WriteAsync(Random random, IReadOnlyList<Sight> domains);

    public abstract void Dispose();

    /// <summary>Everything that there is, by domain, in the order of their ids.</summary>
    public async Task<ImmutableArray<Sight>> LookAsync()
    {
        var list = await Open().ListAsync();
        Assert.Empty(list.Broken);
        return [.. list.Domains.OrderBy(d => d.Catalog.Domain.ToString(), StringComparer.Ordinal).Select(Look)];
    }

    /// <summary>No file is missing and none is there that belongs to nothing; no journal is left.</summary>
    /// <param name="domains">All there is.</param>
    /// <param name="deed">What was done last; null if nothing was.</param>
    public virtual void CheckFiles(IReadOnlyList<Sight> domains, Deed? deed = null)
    {
        var known = domains.SelectMany(Known).ToHashSet(StringComparer.Ordinal);
        var records = domains.Select(d => d.View.Folder.CatalogRecords + "/").ToArray();
        var present = Present().Where(p => Path.GetFileName(p) is not ("lock" or "guard.lock" or "checksums.lock")).ToLookup(p => records.Any(r => p.StartsWith(r, StringComparison.Ordinal)));
        if (deed?.Forgets == true)
        {
            Forgotten.UnionWith(present[false].Except(known).Concat(AllInside(domains).Select(i => i.Text).Except(domains.SelectMany(Tags))));
        }

        CheckNone("belong to nothing", present[false].Except(known).Except(Forgotten));
        CheckNone("are missing", known.Except(present[false]));
        Assert.Equal(domains.Sum(d => d.Catalog.Snapshots.Count), present[true].Count());

        // One that nobody needs may be listed although it is gone: it is removed again when that can be done.
        Assert.Empty(Inside(domains).Except(domains.SelectMany(Tags)).Except(Forgotten));
        Assert.All(domains.Select(d => LayerGraph.Of(d.Catalog)), g => Assert.Empty(Tags(g.All.Except(g.Unreached())).Except(Inside(domains))));
    }

    private static void CheckNone(string what, IEnumerable<string> files)
    {
        var all = string.Join(", ", files);
        Assert.True(all.Length == 0, $"files that {what}: {all}");
    }

    /// <summary>Images that have, or had, other names or borrowers.</summary>
    protected IReadOnlySet<string> Shared => _shared;

    /// <summary>Files that snapshots kept when they were forgotten, and internal snapshots as image and tag.</summary>
    protected HashSet<string> Forgotten { get; } = new(StringComparer.Ordinal);

    /// <summary>
    /// The internal snapshots that are there. Nobody writes to an image that has, or had, other names or borrowers: what is inside
    /// stays, whoever goes.
    /// </summary>
    private string[] Inside(IReadOnlyList<Sight> domains)
    {
        _shared.UnionWith(Images(domains).Where(l => l.Origin is LayerOrigin.Borrowed || IsShared(l.Path)).Select(l => l.Path));
        var needed = domains.SelectMany(Tags).ToHashSet(StringComparer.Ordinal);
        var named = Images(domains).Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
        return [.. AllInside(domains).Where(i => named.Contains(i.Path) && (needed.Contains(i.Text) || !_shared.Contains(i.Path))).Select(i => i.Text)];
    }

    /// <summary>Also in images that nothing names any more.</summary>
    private IEnumerable<(string Path, string Text)> AllInside(IReadOnlyList<Sight> domains)
    {
        _images.UnionWith(Images(domains).Select(l => l.Path));
        return _images.SelectMany(f => Internals(f).Select(t => (f, $"{f} {t}")));
    }

    private static Layer[] Images(IReadOnlyList<Sight> domains) =>
        [.. domains.SelectMany(d => LayerGraph.Of(d.Catalog).All).Where(l => l is { Inside: null, Format: ImageFormat.Qcow2 })];

    /// <summary>Whether an image cannot be read now, because a guest writes it.</summary>
    protected virtual bool IsWritten(DomainView view, Layer layer) => false;

    /// <summary>What a guest would read from a layer.</summary>
    protected abstract string Read(Layer layer);

    /// <summary>What stands for the memory of a process; null if it is not there.</summary>
    protected abstract string? ReadMemory(ShortId process);

    /// <summary>What stands for memory that was kept; null for none.</summary>
    protected abstract string? ReadMemory(MemoryImage memory, LayerGraph graph);

    /// <summary>All files that are there, but for what the user brought.</summary>
    protected abstract IEnumerable<string> Present();

    /// <summary>The tags of the internal snapshots in an image; none if it is gone.</summary>
    protected abstract IEnumerable<string> Internals(string path);

    /// <summary>Whether a file has several names.</summary>
    protected abstract bool IsShared(string path);

    /// <summary>Likewise, of a file that is real.</summary>
    protected static bool HasOtherNames(string path) => new FileStorage(TimeProvider.System)
        .ObserveFilesAsync([path], CancellationToken.None).GetAwaiter().GetResult().TryGetValue(path, out var file) && file.Links > 1;

    private Sight Look(DomainView view)
    {
        var graph = LayerGraph.Of(view.Catalog);
        var head = view.Catalog.Head;
        var memory = view.Hypervisor.IsAlive ? ReadMemory(head.Process!.Value) : head.Saved is { } saved ? ReadMemory(saved.Image, graph) : null;
        return new Sight(view, Of(head, memory))
        {
            Snapshots = view.Catalog.Snapshots.Values.ToImmutableDictionary(s => s.Id, s => Held(
                s.Disks.Where(d => d.IsKept).Select(d => (d.Target, d.Layer)), ReadMemory(s.Memory, graph))),
            NotKept = view.Catalog.Snapshots.Values.ToImmutableDictionary(s => s.Id, s => Held(
                s.Disks.Where(d => !d.IsKept && graph.Has(d.Layer)).Select(d => (d.Target, d.Layer)), null)),
            Brought = [.. graph.All.Where(l => l is { Origin: not LayerOrigin.Coppice, Inside: null }).Select(l => Held([(l.Disk, l.Id)], null))],
            Tips = view.Catalog.Tips.ToImmutableDictionary(t => t.Id, t => Of(
                t.Head, ReadMemory(t.Memory, graph) ?? (t.Head.Saved is { } kept ? ReadMemory(kept.Image, graph) : null))),
        };

        Contents Of(Head of, string? held) => Held(of.Disks.Select(d => (d.Target, d.Layer)), held);

        Contents Held(IEnumerable<(string Target, ShortId Layer)> disks, string? held) => new(
            disks.Where(d => !IsWritten(view, graph[d.Layer])).Select(d => KeyValuePair.Create(d.Target, Read(graph[d.Layer])))
                .Concat(held is null ? [] : [KeyValuePair.Create(Contents.Memory, held)]));
    }

    private static IEnumerable<string> Known(Sight domain)
    {
        var (catalog, folder) = (domain.Catalog, domain.View.Folder);
        var layers = LayerGraph.Of(catalog).All.Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null } && catalog.Mirrors.All(m => m.Target != l.Id || m.Kind is MirrorKind.Commit))
            .Concat(catalog.Spares.SelectMany(s => s.Layers)).Select(l => l.Path);
        var memories = catalog.Memories.Select(m => m.File).OfType<string>();
        return [.. layers, .. memories, .. catalog.Tpms.Select(folder.Tpm), .. catalog.Definitions.Select(folder.Definition), folder.CatalogRoot];
    }

    private static IEnumerable<string> Tags(Sight domain) => Tags(LayerGraph.Of(domain.Catalog).All);

    private static IEnumerable<string> Tags(IEnumerable<Layer> layers) =>
        layers.Where(l => l.Inside is not null).Select(l => $"{l.Path} {l.Inside!.Tag}");
}
