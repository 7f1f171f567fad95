using System.Collections.Concurrent;
using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>A catalog whose records are written and whose root is not.</summary>
public sealed class StagedCatalog
{
    internal StagedCatalog(Catalog catalog, RootDocument root, ConcurrentDictionary<RecordName, DateTimeOffset> times)
    {
        Catalog = catalog;
        Root = root;
        Times = times;
    }

    /// <summary>The catalog once it is committed.</summary>
    public Catalog Catalog { get; }

    internal RootDocument Root { get; }

    internal ConcurrentDictionary<RecordName, DateTimeOffset> Times { get; }

    /// <summary>The records that the root named and will not name.</summary>
    internal ImmutableArray<RecordName> Replaced { get; init; } = [];
}
