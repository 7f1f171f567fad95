using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// The root of a catalog as it is stored. <see cref="Last"/> stands on a line of its own, so that a shell can tell how an
/// operation ended; see <see cref="CatalogStore"/>.
/// </summary>
internal sealed record RootDocument
{
    public required int Version { get; init; }

    public required string Last { get; init; }

    public required DomainId Domain { get; init; }

    public required string Name { get; init; }

    public required Persistence Persistence { get; init; }

    public required long Revision { get; init; }

    public required SnapshotId? Current { get; init; }

    public required Head Head { get; init; }

    public required ImmutableArray<Tip> Tips { get; init; }

    public required TipRetention TipRetention { get; init; }

    public required ImmutableArray<Layer> Layers { get; init; }

    public required ImmutableArray<MergeJob> Jobs { get; init; }

    public required ImmutableArray<DiskMirror> Mirrors { get; init; }

    public required ImmutableArray<EndedMirror> EndedMirrors { get; init; }

    public required ImmutableArray<LayerRename> Renames { get; init; }

    public required ImmutableArray<Loan> Loans { get; init; }

    public required ImmutableArray<Spare> Spares { get; init; }

    /// <summary>The records, one a snapshot.</summary>
    public required ImmutableArray<RecordName> Snapshots { get; init; }

    /// <summary>What is stored of a catalog, beside its records.</summary>
    /// <param name="catalog">The catalog.</param>
    /// <param name="records">Its records, by the revision that wrote them.</param>
    public static RootDocument Of(Catalog catalog, IEnumerable<RecordName> records) => new()
    {
        Version = CatalogStore.Version,
        Last = $"{Word(catalog.Last.End)} {catalog.Last.Id}",
        Domain = catalog.Domain,
        Name = catalog.Name,
        Persistence = catalog.Persistence,
        Revision = catalog.Revision,
        Current = catalog.Current,
        Head = catalog.Head,
        Tips = catalog.Tips,
        TipRetention = catalog.TipRetention,
        Layers = catalog.Layers,
        Jobs = catalog.Jobs,
        Mirrors = catalog.Mirrors,
        EndedMirrors = catalog.EndedMirrors,
        Renames = catalog.Renames,
        Loans = catalog.Loans,
        Spares = catalog.Spares,
        Snapshots = [.. records],
    };

    public Catalog ToCatalog(IEnumerable<Snapshot> snapshots) => new()
    {
        Domain = Domain,
        Name = Name,
        Persistence = Persistence,
        Revision = Revision,
        Last = ReadLast(),
        Head = Head,
        Current = Current,
        Snapshots = snapshots.ToDictionary(s => s.Id).AsReadOnly(),
        Tips = Tips,
        TipRetention = TipRetention,
        Layers = Layers,
        Jobs = Jobs,
        Mirrors = Mirrors,
        EndedMirrors = EndedMirrors,
        Renames = Renames,
        Loans = Loans,
        Spares = Spares,
    };

    private LastOperation ReadLast()
    {
        foreach (var end in Enum.GetValues<OperationEnd>())
        {
            if (Last.StartsWith(Word(end) + " ", StringComparison.Ordinal))
            {
                return new LastOperation(ShortId.Parse(Last[(Word(end).Length + 1)..]), end);
            }
        }

        throw new FormatException($"'{Last}' does not say how an operation ended");
    }

    private static string Word(OperationEnd end) => end switch
    {
        OperationEnd.Committed => "committed",
        _ => "rolled-forward",
    };
}

/// <summary>What is asked of a root most often, and by whoever looks for a domain among many.</summary>
internal sealed record RootFront(string Name, Persistence Persistence);

/// <summary>The name of a stored record: the snapshot and the revision of the catalog that it was written for.</summary>
internal readonly partial record struct RecordName(SnapshotId Snapshot, long Revision) : IIdentifier<RecordName>
{
    public static RecordName Parse(string text) => Pattern().Match(text) is { Success: true } match
        ? new(SnapshotId.Parse(match.Groups[1].Value), long.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture))
        : throw new FormatException($"'{text}' is not the name of a record");

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Snapshot}-{Revision}");

    [GeneratedRegex("^([0-9a-f-]{36})-([0-9]{1,18})$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
}

/// <summary>A snapshot as it is stored. Written once, never changed: another name makes another record.</summary>
internal sealed record RecordDocument(int Version, Snapshot Snapshot);
