namespace Coppice.Core;

/// <summary>
/// What a snapshot is, in three questions (R172, R173). A snapshot has one answer to each; a filter that names no answer
/// to a question does not ask it.
/// </summary>
[Flags]
public enum SnapshotTraits
{
    /// <summary>Nothing is asked.</summary>
    None = 0,

    /// <summary>It has no children.</summary>
    Leaf = 1,

    /// <summary>It has children.</summary>
    Inner = 2,

    /// <summary>Taken while the domain was off.</summary>
    Offline = 4,

    /// <summary>Taken of an active domain with its memory.</summary>
    Online = 8,

    /// <summary>Taken of an active domain without its memory.</summary>
    DiskOnly = 16,

    /// <summary>All that it keeps is inside images.</summary>
    Internal = 32,

    /// <summary>Something that it keeps, beside the firmware's variables, is in a file or layer of its own.</summary>
    External = 64,
}

/// <summary>How far a list reaches from where it starts.</summary>
public enum SnapshotReach
{
    /// <summary>All below.</summary>
    Descendants,

    /// <summary>The next level only: the roots of the domain, or the children of a snapshot.</summary>
    Children,
}

/// <summary>Which snapshots of a domain are listed, and in which order.</summary>
public sealed record SnapshotFilter
{
    private static readonly SnapshotTraits[] s_questions =
    [
        SnapshotTraits.Leaf | SnapshotTraits.Inner,
        SnapshotTraits.Offline | SnapshotTraits.Online | SnapshotTraits.DiskOnly,
        SnapshotTraits.Internal | SnapshotTraits.External,
    ];

    /// <summary>All snapshots of a domain.</summary>
    public static SnapshotFilter All { get; } = new();

    /// <summary>The snapshot below which to list; null for the whole domain.</summary>
    public SnapshotId? Below { get; init; }

    /// <summary>How far to go.</summary>
    public SnapshotReach Reach { get; init; }

    /// <summary>The answers that are let through; several answers to one question let each through.</summary>
    public SnapshotTraits Traits { get; init; }

    /// <summary>Parents before their children, each subtree together; otherwise by time.</summary>
    public bool Topological { get; init; }

    /// <summary>The snapshots of a tree that pass.</summary>
    /// <exception cref="CoppiceException">There is no <see cref="Below"/> (<see cref="ErrorKind.NotFound"/>).</exception>
    public IEnumerable<Snapshot> ApplyTo(SnapshotTree tree)
    {
        var found = Reach == SnapshotReach.Children ? tree.Children(Below) : tree.Descendants(Below);
        var passed = found.Where(s => Passes(TraitsOf(s, tree)));
        return Topological ? passed : passed.OrderBy(s => s.CreatedAt).ThenBy(s => s.Name, StringComparer.Ordinal);
    }

    /// <summary>What a snapshot of a tree is: one answer to each question.</summary>
    public static SnapshotTraits TraitsOf(Snapshot snapshot, SnapshotTree tree)
    {
        var place = tree.Children(snapshot.Id).IsEmpty ? SnapshotTraits.Leaf : SnapshotTraits.Inner;
        var moment = snapshot switch
        {
            { State: DomainState.Off } => SnapshotTraits.Offline,
            { Memory.Mode: MemoryMode.None } => SnapshotTraits.DiskOnly,
            _ => SnapshotTraits.Online,
        };
        var isExternal = snapshot.Memory.Mode == MemoryMode.External
            || snapshot.Disks.Any(d => d.Mode == DiskMode.External && d.Target != DiskDevice.FlashTarget);
        return place | moment | (isExternal ? SnapshotTraits.External : SnapshotTraits.Internal);
    }

    private bool Passes(SnapshotTraits traits) =>
        s_questions.All(question => (Traits & question) == 0 || (Traits & question & traits) != 0);
}
