using Coppice.Core;
using Coppice.Engine;
using Coppice.Files;

namespace Coppice.Cli.Reports;

/// <summary>A snapshot by uuid and name.</summary>
internal sealed record SnapshotReference(string Id, string Name)
{
    public static SnapshotReference? Of(Catalog catalog, SnapshotId? id) =>
        id is { } known && catalog.Snapshots.TryGetValue(known, out var snapshot) ? Of(snapshot) : null;

    public static SnapshotReference Of(Snapshot snapshot) => new(snapshot.Id.ToString(), snapshot.Name);
}

/// <summary>A snapshot.</summary>
/// <param name="Id">Its uuid.</param>
/// <param name="Name">Its name.</param>
/// <param name="Description">Free text; may be empty.</param>
/// <param name="CreatedAt">When it was taken.</param>
/// <param name="State">What the domain was doing.</param>
/// <param name="IsCurrent">Whether the head came from it.</param>
/// <param name="Parent">The snapshot it was taken on.</param>
/// <param name="Children">The snapshots taken on it, by time.</param>
/// <param name="Moment">Of what it was taken (R172): <c>offline</c>, <c>online</c> with its memory, or <c>diskOnly</c>.</param>
/// <param name="Place">Where it keeps it (R173): <c>internal</c>, wholly inside images, or <c>external</c>.</param>
/// <param name="Consistency">
/// What a guest finds that starts on its disks (R91): <c>exact</c>, <c>fileSystems</c> if they were frozen, or <c>crash</c>.
/// </param>
/// <param name="Bytes">What its own files hold: memory image and the layers that Coppice made.</param>
/// <param name="Memory">The memory it keeps.</param>
/// <param name="Disks">Every disk of the domain then.</param>
/// <param name="Unverified">Whether there is no checksum yet of something that it relies on; null if nobody has looked.</param>
internal sealed record SnapshotReport(
    string Id,
    string Name,
    string Description,
    DateTimeOffset CreatedAt,
    string State,
    bool IsCurrent,
    SnapshotReference? Parent,
    IReadOnlyList<SnapshotReference> Children,
    string Moment,
    string Place,
    string Consistency,
    long Bytes,
    MemoryReport Memory,
    IReadOnlyList<SnapshotDiskReport> Disks,
    bool? Unverified = null);

/// <summary>The memory of a snapshot.</summary>
internal sealed record MemoryReport(string Mode, string? File, string? Disk, string? Format, bool IsVolatile)
{
    public static MemoryReport Of(MemoryImage memory) =>
        new(Word.Of(memory.Mode), memory.File, memory.Disk, memory.Mode == MemoryMode.External ? Word.Of(memory.Format) : null, memory.IsVolatile);
}

/// <summary>A disk of a snapshot and the image that keeps its content; null if it took no part.</summary>
internal sealed record SnapshotDiskReport(string Target, string Mode, string? Path);

/// <summary>Makes the reports of the snapshots of one domain.</summary>
internal sealed class SnapshotReports(DomainView view, IReadOnlySet<SnapshotId>? unverified = null)
{
    private readonly SnapshotTree _tree = new(view.Catalog);
    private readonly LayerGraph _layers = LayerGraph.Of(view.Catalog);

    public SnapshotReport[] Of(SnapshotFilter filter) => [.. filter.ApplyTo(_tree).Select(Of)];

    public SnapshotReport Of(Snapshot snapshot)
    {
        var traits = SnapshotFilter.TraitsOf(snapshot, _tree);
        return new SnapshotReport(
            snapshot.Id.ToString(),
            snapshot.Name,
            snapshot.Description,
            snapshot.CreatedAt,
            Word.Of(snapshot.State),
            view.Catalog.Current == snapshot.Id,
            SnapshotReference.Of(view.Catalog, snapshot.Parent),
            [.. _tree.Children(snapshot.Id).Select(SnapshotReference.Of)],
            Moment(traits),
            traits.HasFlag(SnapshotTraits.External) ? Word.External : Word.Internal,
            Word.Of(snapshot.Consistency),
            OwnFiles(snapshot).Sum(FileBytes),
            MemoryReport.Of(snapshot.Memory),
            [.. snapshot.Disks.Select(d => new SnapshotDiskReport(d.Target, Word.Of(d.Mode), d.IsKept ? _layers[d.Layer].Path : null))],
            unverified?.Contains(snapshot.Id));
    }

    private static string Moment(SnapshotTraits traits) =>
        traits.HasFlag(SnapshotTraits.Offline) ? Word.Offline
        : traits.HasFlag(SnapshotTraits.Online) ? Word.Online
        : Word.DiskOnly;

    // The images that the user brought hold what was there before the first snapshot; they are nobody's cost.
    private static IEnumerable<string> OwnFiles(Snapshot snapshot)
    {
        var layers = snapshot.Layers.Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null }).Select(l => l.Path);
        return snapshot.Memory.File is { } memory ? layers.Append(memory) : layers;
    }

    /// <summary>What a file takes on disk, the blocks that it shares with clones among it.</summary>
    public static long FileBytes(string path) => FileSystem.Look(path)?.AllocatedBytes ?? 0;
}
