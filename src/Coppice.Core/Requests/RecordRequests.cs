using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// Change the record of a snapshot to what a document says, or put a snapshot back that was forgotten: no file of it is touched.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Document">The document, read as <see cref="SnapshotParseMode.Redefine"/>.</param>
/// <param name="IsCurrent">Whether it becomes the current snapshot; head and disks stay as they are.</param>
public sealed record RedefineSnapshot(string Domain, SnapshotDocument Document, bool IsCurrent)
    : DomainRequest("snapshot create --redefine", Domain)
{
    /// <summary>
    /// The snapshot that has what the document says, under another name: both have it from then on, as virsh <c>snapshot-edit</c> makes one
    /// before it drops the other. Null for the one that the document names.
    /// </summary>
    public SnapshotId? CopyOf { get; init; }
}

/// <summary>
/// Take the internal snapshots that somebody else made in the images of a domain into its tree (R52, R56). They are Coppice's
/// from then on: no image is touched, until one is deleted.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
public sealed record AdoptSnapshots(string Domain) : DomainRequest("snapshot import", Domain)
{
    /// <summary>
    /// What another program says of them, read as <see cref="SnapshotParseMode.Redefine"/>: description, parent and state, and
    /// which one is current.
    /// </summary>
    public ImmutableArray<SnapshotDocument> Documents { get; init; } = [];

    /// <summary>The only one that is adopted, by its name; the current snapshot stays what it is. Null for all there are.</summary>
    public string? Only { get; init; }
}

/// <summary>
/// Take the images below a domain's disks into its tree on which somebody else has put overlays (R52, R56), as snapshots without
/// memory. They stay the user's: none is ever removed.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
public sealed record AdoptChain(string Domain) : DomainRequest("snapshot import", Domain)
{
    /// <summary>
    /// What another program says of them, read as <see cref="SnapshotParseMode.Redefine"/>; without, the images of one disk are
    /// called like their files.
    /// </summary>
    public ImmutableArray<SnapshotDocument> Documents { get; init; } = [];
}

/// <summary>Change the name or the description of a snapshot; null keeps either (R9, R36).</summary>
public sealed record EditSnapshot(string Domain, string Snapshot, string? Name, string? Description)
    : DomainRequest("snapshot edit", Domain);

/// <summary>Make a snapshot the current one without touching head or disks (R7).</summary>
public sealed record SetCurrentSnapshot(string Domain, string Snapshot) : DomainRequest("snapshot current", Domain);
