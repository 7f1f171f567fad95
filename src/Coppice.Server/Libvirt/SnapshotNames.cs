using System.Runtime.CompilerServices;
using Coppice.Core;

namespace Coppice.Server.Libvirt;

/// <summary>
/// The snapshots of a catalog by name, and as a tree. A list of a thousand is a thousand calls, each of which names one: this is made
/// once for a catalog.
/// </summary>
internal sealed class SnapshotNames
{
    private static readonly ConditionalWeakTable<Catalog, SnapshotNames> s_known = [];

    private readonly Dictionary<string, Snapshot> _byName;
    private readonly Lazy<SnapshotTree> _tree;

    private SnapshotNames(Catalog catalog)
    {
        _byName = catalog.Snapshots.Values.ToDictionary(s => s.Name, StringComparer.Ordinal);
        _tree = new(() => new SnapshotTree(catalog));
    }

    /// <summary>Those of a catalog.</summary>
    public static SnapshotNames Of(Catalog catalog) => s_known.GetValue(catalog, static c => new SnapshotNames(c));

    /// <summary>They as a tree.</summary>
    public SnapshotTree Tree => _tree.Value;

    /// <summary>The one of a name; null if there is none.</summary>
    public Snapshot? Find(string name) => _byName.GetValueOrDefault(name);
}
