using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Which snapshots a request deletes, and what the catalog is without them. Pure, and needs nothing but the catalog, so that what
/// is to be observed can be told from it.
/// </summary>
public sealed class DeletedSnapshots
{
    private const int MostNamed = 5;

    private readonly Catalog _catalog;
    private readonly LayerGraph _graph;
    private readonly HashSet<SnapshotId> _ids;
    private readonly HashSet<ShortId> _tips = [];

    private DeletedSnapshots(Catalog catalog, DeleteSnapshot request)
    {
        _catalog = catalog;
        _graph = LayerGraph.Of(catalog);
        _ids = Selected(catalog, request);
        if (request.Mode is DeleteMode.DiscardForce)
        {
            IncludeWhatBuildsOn();
        }

        if (request.Mode is DeleteMode.Discard or DeleteMode.DiscardForce)
        {
            RequireNothingBuildsOn();
        }
    }

    /// <summary>The snapshots that go, oldest first.</summary>
    public ImmutableArray<Snapshot> Snapshots =>
        [.. _ids.Select(id => _catalog.Snapshots[id]).OrderBy(s => s.CreatedAt).ThenBy(s => s.Name, StringComparer.Ordinal)];

    /// <summary>How many tips go with them.</summary>
    public int Tips => _tips.Count;

    /// <summary>Finds them.</summary>
    /// <exception cref="CoppiceException">
    /// One does not exist (<see cref="ErrorKind.NotFound"/>), or is built upon and must not be
    /// (<see cref="ErrorKind.WouldLose"/>).
    /// </exception>
    public static DeletedSnapshots Of(Catalog catalog, DeleteSnapshot request)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(request);
        return new(catalog, request);
    }

    /// <summary>
    /// Children and tips move to the nearest parent that stays; the layers the snapshots froze are listed by the catalog itself.
    /// </summary>
    /// <param name="keeps">What they have inside images is not listed: it is not to be removed.</param>
    public CatalogChange Change(bool keeps) => new()
    {
        Head = _catalog.Head,
        Current = Left(_catalog.Current),
        Drop = [.. Snapshots.Select(s => s.Id)],
        Put =
        [
            .. _catalog.Snapshots.Values.Where(s => !_ids.Contains(s.Id) && s.Parent is { } p && _ids.Contains(p))
                .OrderBy(s => s.CreatedAt).Select(s => s with { Parent = Left(s.Parent) }),
        ],
        ReplaceTips =
        [
            .. _catalog.Tips.Where(t => !_tips.Contains(t.Id) && t.Current is { } c && _ids.Contains(c))
                .Select(t => t with { Current = Left(t.Current) }),
        ],
        DropTips = [.. _catalog.Tips.Select(t => t.Id).Where(_tips.Contains)],
        PutLayers = [.. Snapshots.SelectMany(s => s.Layers).Where(l => !keeps || l.Inside is null)],
    };

    private static HashSet<SnapshotId> Selected(Catalog catalog, DeleteSnapshot request)
    {
        if (request.Scope is DeleteScope.All)
        {
            return [.. catalog.Snapshots.Keys];
        }

        var named = request.Snapshots.Select(catalog.Find).ToArray();
        var tree = new SnapshotTree(catalog);
        var below = request.Scope is DeleteScope.Snapshots ? [] : named.SelectMany(s => tree.Descendants(s.Id));
        return [.. (request.Scope is DeleteScope.ChildrenOnly ? below : named.Concat(below)).Select(s => s.Id)];
    }

    /// <summary>The nearest snapshot that stays, from one on towards the root.</summary>
    private SnapshotId? Left(SnapshotId? from)
    {
        while (from is { } id && _ids.Contains(id))
        {
            from = _catalog.Snapshots[id].Parent;
        }

        return from;
    }

    /// <summary>Also what was taken on them, and what builds on their layers for whatever reason.</summary>
    private void IncludeWhatBuildsOn()
    {
        bool grows;
        do
        {
            var going = Going();
            var more = _catalog.Snapshots.Values.Where(s => !_ids.Contains(s.Id) && BuildsOn(s, going)).ToArray();
            _ids.UnionWith(more.Select(s => s.Id));
            grows = more.Length > 0;
        }
        while (grows);

        var gone = Going();
        _tips.UnionWith(_catalog.Tips.Where(t => BuildsOn(t, gone)).Select(t => t.Id));
    }

    private void RequireNothingBuildsOn()
    {
        var going = Going();
        string[] others =
        [
            .. _catalog.Snapshots.Values.Where(s => !_ids.Contains(s.Id) && BuildsOn(s, going))
                .OrderBy(s => s.CreatedAt).Select(s => $"snapshot '{s.Name}'"),
            .. _catalog.Tips.Where(t => !_tips.Contains(t.Id) && BuildsOn(t, going)).Select(t => $"tip {t.Id}"),
        ];
        var isHead = BuildsOn(_catalog.Current, _catalog.Head.Disks.Select(d => d.Layer), going);
        if (isHead || others.Length > 0)
        {
            var more = others.Length > MostNamed ? $" and {others.Length - MostNamed} more" : "";
            string[] builders = [.. isHead ? ["the domain as it is now"] : Array.Empty<string>(), .. others.Take(MostNamed)];
            throw new CoppiceException(
                ErrorKind.WouldLose, $"{Named()} of domain '{_catalog.Name}'",
                $"cannot be discarded: {string.Join(", ", builders)}{more} would go with it",
                isHead
                    ? $"merge it instead (--merge), or revert elsewhere first: coppice snapshot revert {_catalog.Name} SNAPSHOT"
                    : "merge it instead (--merge), or discard all of that too: --discard-force");
        }
    }

    private string Named() => Snapshots is [var one] ? $"snapshot '{one.Name}'" : $"snapshots {string.Join(", ", Snapshots.Select(s => $"'{s.Name}'"))}";

    private bool BuildsOn(Snapshot snapshot, HashSet<ShortId> going) =>
        BuildsOn(snapshot.Parent, snapshot.Disks.Where(d => d.IsKept).Select(d => d.Layer), going);

    private bool BuildsOn(Tip tip, HashSet<ShortId> going) => BuildsOn(tip.Current, tip.Head.Disks.Select(d => d.Layer), going);

    /// <summary>
    /// Whether somebody was taken on one of them, or has a layer of one below its own. On what is only inside an image nobody
    /// builds.
    /// </summary>
    private bool BuildsOn(SnapshotId? parent, IEnumerable<ShortId> tops, HashSet<ShortId> going) =>
        (parent is { } id && _ids.Contains(id) && Files(_catalog.Snapshots[id]).Any(going.Contains))
            || tops.Any(top => _graph.Chain(top).Any(l => going.Contains(l.Id)));

    /// <summary>
    /// The layers that only snapshots that go have: what a branch shares stays with the branch, and what is only read with every head
    /// and tip that has it too.
    /// </summary>
    private HashSet<ShortId> Going()
    {
        var going = _ids.SelectMany(id => Files(_catalog.Snapshots[id])).ToHashSet();
        going.ExceptWith(_catalog.Snapshots.Values.Where(s => !_ids.Contains(s.Id)).SelectMany(Files));
        going.ExceptWith(_catalog.Tips.Select(t => t.Head).Append(_catalog.Head).SelectMany(h => h.Disks).Select(d => d.Layer));
        return going;
    }

    /// <summary>What a snapshot keeps in files of their own, whether it, another one or the catalog lists them.</summary>
    private IEnumerable<ShortId> Files(Snapshot snapshot) =>
        snapshot.Disks.Where(d => d.IsKept).Select(d => d.Layer).Where(id => _graph[id].Inside is null);
}
