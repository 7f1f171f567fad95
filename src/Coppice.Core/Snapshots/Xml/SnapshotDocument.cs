using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// What a <c>&lt;domainsnapshot&gt;</c> says. A request fills in little of it (R22); a document of a snapshot that exists
/// fills in all. XML of others is kept as text, unchanged.
/// </summary>
public sealed record SnapshotDocument
{
    /// <summary>The name.</summary>
    public string? Name { get; init; }

    /// <summary>The uuid. libvirt's format has no place for it, so it is written into <c>&lt;cookie&gt;</c>.</summary>
    public SnapshotId? Id { get; init; }

    /// <summary>Free text; empty if there is none (R24).</summary>
    public string Description { get; init; } = "";

    /// <summary>What the domain was doing (R25).</summary>
    public SnapshotState? State { get; init; }

    /// <summary>The name of the parent; null for a root (R29).</summary>
    public string? Parent { get; init; }

    /// <summary>
    /// The name of the snapshot that a new one is made of (R153); null for the domain as it is. Ours, not libvirt's.
    /// </summary>
    public string? Branch { get; init; }

    /// <summary>When it was taken, in whole seconds (R141).</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>The memory (R94–R99).</summary>
    public MemoryRequest? Memory { get; init; }

    /// <summary>The disks (R139). The file of an external one is the layer that took the writes from then on.</summary>
    public ImmutableArray<DiskRequest> Disks { get; init; } = [];

    /// <summary>The uuid within <see cref="Domain"/> (R28).</summary>
    public DomainId? DomainId { get; init; }

    /// <summary>The <c>&lt;domain&gt;</c> at that time, in full or its uuid only, as XML (R143).</summary>
    public string? Domain { get; init; }

    /// <summary>The <c>&lt;inactiveDomain&gt;</c>, as XML.</summary>
    public string? InactiveDomain { get; init; }

    /// <summary>The <c>&lt;cookie&gt;</c> of somebody else, as XML.</summary>
    public string? Cookie { get; init; }

    /// <summary>What a snapshot of ours keeps, written into <c>&lt;cookie&gt;</c>; null for others.</summary>
    public SnapshotContent? Content { get; init; }

    /// <summary>Whether it is the current snapshot (R142).</summary>
    public bool? IsActive { get; init; }

    /// <summary>The document of a snapshot of ours.</summary>
    /// <param name="catalog">The catalog it stands in.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="definitionXml">The definition it was taken with.</param>
    /// <param name="files">What is known of the files of <see cref="SnapshotContent.FrozenFiles"/>.</param>
    /// <exception cref="CoppiceException">
    /// A layer of the catalog is missing or listed twice (<see cref="ErrorKind.Damaged"/>).
    /// </exception>
    public static SnapshotDocument From(
        Catalog catalog, Snapshot snapshot, string definitionXml, IReadOnlyDictionary<string, FileObservation> files)
    {
        var overlays = LayerGraph.Of(catalog).All.ToLookup(layer => layer.Parent);
        return new SnapshotDocument
        {
            Name = snapshot.Name,
            Id = snapshot.Id,
            Description = snapshot.Description,
            State = SnapshotStates.Of(snapshot),
            Parent = snapshot.Parent is { } parent ? catalog.Snapshots[parent].Name : null,
            CreatedAt = DateTimeOffset.FromUnixTimeSeconds(snapshot.CreatedAt.ToUnixTimeSeconds()),
            Memory = new MemoryRequest(snapshot.Memory.Mode, snapshot.Memory.File, snapshot.Memory.Disk),
            // libvirt's format has no place for the firmware's variables.
            Disks = [.. snapshot.Disks.Where(d => d.Target != DiskDevice.FlashTarget).Select(d => Entry(d, overlays))],
            DomainId = catalog.Domain,
            Domain = definitionXml,
            IsActive = catalog.Current == snapshot.Id,
            Content = SnapshotContent.Of(catalog, snapshot, files),
        };
    }

    /// <summary>Another program wrote it, and what it is of lies inside images, where it has the name of the snapshot.</summary>
    public bool IsOfImages =>
        Content is null && Name is not null && (Memory?.Mode is MemoryMode.Internal || Disks.Any(d => d.Mode is DiskMode.Internal));

    /// <summary>The request that this document makes; what the driver fills in is left to it (R27).</summary>
    /// <param name="domain">The domain's name or uuid.</param>
    public CreateSnapshot ToRequest(string domain) => new(domain)
    {
        Name = Name,
        Id = Id,
        Description = Description,
        Memory = Memory,
        Disks = Disks,
        Branch = Branch is { } from ? new BranchRequest(from, IsCurrent: false) : null,
    };

    /// <summary>Refuses to let this document replace or join what a catalog has.</summary>
    /// <param name="catalog">The catalog it is to stand in.</param>
    /// <exception cref="CoppiceException">
    /// It belongs to another domain, would be its own ancestor, or makes another kind of snapshot of one that exists
    /// (<see cref="ErrorKind.InvalidInput"/>); its name is another's (<see cref="ErrorKind.AlreadyExists"/>); its parent is
    /// not there (<see cref="ErrorKind.NotFound"/>).
    /// </exception>
    public void CheckRedefines(Catalog catalog) => SnapshotRedefinition.Check(this, catalog);

    // After a revert several layers build on the frozen one; then it cannot be told which of them was the first.
    private static DiskRequest Entry(DiskSnapshot disk, ILookup<ShortId?, Layer> overlays)
    {
        if (disk.Mode != DiskMode.External)
        {
            return new DiskRequest(disk.Target, disk.Mode);
        }

        Layer[] next = [.. overlays[disk.Layer].Take(2)];
        return new DiskRequest(disk.Target, disk.Mode, next is [var only] ? only.Path : null, "qcow2");
    }
}
