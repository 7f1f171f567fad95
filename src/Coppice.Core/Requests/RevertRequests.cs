namespace Coppice.Core;

/// <summary>In which state a domain is left by a revert.</summary>
public enum RevertState
{
    /// <summary>In the one the snapshot was taken in.</summary>
    AsTaken,

    /// <summary>Running; it boots if the snapshot has no memory (R182).</summary>
    Running,

    /// <summary>Paused.</summary>
    Paused,
}

/// <summary>Put a domain's head on a snapshot.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshot">The snapshot's name or uuid; null for the current one.</param>
/// <param name="State">How the domain is left.</param>
/// <param name="DiscardCurrent">Do not keep what is left behind as a tip.</param>
/// <param name="Force">Also if memory and disk may not fit each other, or an image was written since it was frozen
/// (R180).</param>
public sealed record RevertSnapshot(string Domain, string? Snapshot, RevertState State, bool DiscardCurrent, bool Force)
    : DomainRequest("snapshot revert", Domain)
{
    /// <summary>Set the guest's clock if it goes on from the snapshot's memory.</summary>
    public bool SyncTime { get; init; }

    /// <summary>
    /// To the snapshot and its later changes (R171): the newest tip that was left while it was current. Its own state is the one
    /// it was left in.
    /// </summary>
    public bool Latest { get; init; }

    /// <summary>
    /// Snapshots and tips that build on the snapshot go (R149), and what is left if it builds on it; nothing else is touched.
    /// </summary>
    public bool DiscardDescendants { get; init; }

    /// <summary>
    /// The snapshot to take of what is left, instead of a tip (R161, R164); its disks are not asked for. Null takes none.
    /// </summary>
    public CreateSnapshot? Checkpoint { get; init; }
}

/// <summary>Return to the newest tip. What is left becomes a tip in turn, if it is in no snapshot.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Force">Also if memory and disk may not fit each other, or an image was written since it was frozen
/// (R180).</param>
public sealed record UndoRevert(string Domain, bool Force = false) : DomainRequest("snapshot undo", Domain)
{
    /// <summary>Set the guest's clock if it goes on from the tip's memory.</summary>
    public bool SyncTime { get; init; }
}
