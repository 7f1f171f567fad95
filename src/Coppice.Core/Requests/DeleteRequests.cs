using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What becomes of what only the deleted snapshots have (R14–R20).</summary>
public enum DeleteMode
{
    /// <summary>It is merged into what builds on it, or goes if nothing does (R13–R16).</summary>
    Merge,

    /// <summary>Nothing is removed or merged: the snapshots are forgotten and their files stay.</summary>
    MetadataOnly,

    /// <summary>It goes. Refused if snapshots, tips or the head build on it (R17, R18).</summary>
    Discard,

    /// <summary>It goes, and with it the snapshots and tips that build on it, but never the head (R19).</summary>
    DiscardForce,
}

/// <summary>Which snapshots are deleted.</summary>
public enum DeleteScope
{
    /// <summary>Those that are named.</summary>
    Snapshots,

    /// <summary>Those, and all below them.</summary>
    WithChildren,

    /// <summary>All below those.</summary>
    ChildrenOnly,

    /// <summary>All of the domain (R35).</summary>
    All,
}

/// <summary>Remove snapshots. What others need is merged, as jobs that outlive the request.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshots">Their names or uuids; none for <see cref="DeleteScope.All"/>.</param>
public sealed record DeleteSnapshot(string Domain, ImmutableArray<string> Snapshots) : DomainRequest("snapshot delete", Domain)
{
    /// <summary>Remove one snapshot.</summary>
    /// <param name="domain">The domain's name or uuid.</param>
    /// <param name="snapshot">The snapshot's name or uuid.</param>
    /// <param name="metadataOnly">Forget it but leave its files.</param>
    public DeleteSnapshot(string domain, string snapshot, bool metadataOnly)
        : this(domain, [snapshot]) => Mode = metadataOnly ? DeleteMode.MetadataOnly : DeleteMode.Merge;

    /// <summary>What becomes of what only they have.</summary>
    public DeleteMode Mode { get; init; }

    /// <summary>Which snapshots are meant.</summary>
    public DeleteScope Scope { get; init; }

    /// <summary>Which images are written by the merges; null for what writes less (R199, R200).</summary>
    public MergeDirection? Direction { get; init; }

    /// <summary>
    /// What the files that stay are called in the end, one a disk (R201); they keep their names if none is given.
    /// </summary>
    public ImmutableArray<FinalName> FinalNames { get; init; } = [];

    /// <summary>Wait until the merges are done.</summary>
    public bool Wait { get; init; }
}

/// <summary>The name of the file that a merge leaves.</summary>
/// <param name="Disk">The disk, by target; null if there is only one merge.</param>
/// <param name="Name">The file name, without a folder.</param>
public sealed record FinalName(string? Disk, string Name);
