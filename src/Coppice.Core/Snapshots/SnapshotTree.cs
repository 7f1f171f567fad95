using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>The snapshots of a catalog as a tree: who came from whom.</summary>
public sealed class SnapshotTree
{
    private readonly Catalog _catalog;
    private readonly ILookup<SnapshotId?, Snapshot> _children;

    /// <summary>Indexes the snapshots of a catalog; siblings stand by time.</summary>
    /// <exception cref="CoppiceException">A parent is missing or in a circle (<see cref="ErrorKind.Damaged"/>).</exception>
    public SnapshotTree(Catalog catalog)
    {
        _catalog = catalog;
        _children = catalog.Snapshots.Values
            .OrderBy(s => s.CreatedAt).ThenBy(s => s.Name, StringComparer.Ordinal)
            .ToLookup(s => s.Parent);
        if (Descendants(null).Length != catalog.Snapshots.Count)
        {
            throw new CoppiceException(
                ErrorKind.Damaged,
                $"domain '{catalog.Name}'",
                "a snapshot names a parent that is missing or its own descendant",
                "restore its catalog from a backup");
        }
    }

    /// <summary>The snapshots without a parent.</summary>
    public ImmutableArray<Snapshot> Roots => Children(null);

    /// <summary>The snapshots without children.</summary>
    public IEnumerable<Snapshot> Leaves => Descendants(null).Where(s => !_children.Contains(s.Id));

    /// <summary>The snapshot that the head came from; null if there is none.</summary>
    public Snapshot? Current => _catalog.Current is { } id ? this[id] : null;

    /// <summary>A snapshot by its id.</summary>
    /// <exception cref="CoppiceException">There is none (<see cref="ErrorKind.NotFound"/>).</exception>
    public Snapshot this[SnapshotId id] => _catalog.Snapshots.GetValueOrDefault(id) ?? throw new CoppiceException(
        ErrorKind.NotFound, $"snapshot {id} of domain '{_catalog.Name}'", "there is none", "list the snapshots of the domain");

    /// <summary>The snapshot that another was taken on; null for a root.</summary>
    public Snapshot? Parent(Snapshot snapshot) => snapshot.Parent is { } id ? this[id] : null;

    /// <summary>The snapshots taken on another, by time; of null, the roots.</summary>
    /// <exception cref="CoppiceException">There is no such snapshot (<see cref="ErrorKind.NotFound"/>).</exception>
    public ImmutableArray<Snapshot> Children(SnapshotId? of)
    {
        if (of is { } id)
        {
            _ = this[id];
        }

        return [.. _children[of]];
    }

    /// <summary>All below a snapshot, itself not; of null, all. Parents before their children, each subtree together.</summary>
    /// <exception cref="CoppiceException">There is no such snapshot (<see cref="ErrorKind.NotFound"/>).</exception>
    public ImmutableArray<Snapshot> Descendants(SnapshotId? of)
    {
        // A tree is as deep as a user likes, so the stack is ours.
        var found = ImmutableArray.CreateBuilder<Snapshot>();
        var pending = new Stack<Snapshot>(Children(of).Reverse());
        while (pending.TryPop(out var next))
        {
            found.Add(next);
            foreach (var child in _children[next.Id].Reverse())
            {
                pending.Push(child);
            }
        }

        return found.ToImmutable();
    }
}
