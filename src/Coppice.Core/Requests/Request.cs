using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>Something a user wants changed. Names are as the user gave them; nothing is resolved.</summary>
/// <param name="Operation">What is done, in the words of the command line: <c>snapshot create</c>.</param>
public abstract record Request(string Operation);

/// <summary>Make a domain known, or replace the definition of one that is off. Its uuid decides which.</summary>
public sealed record DefineDomain(DomainDefinition Definition) : Request("define");

/// <summary>Define a domain that exists only as long as it runs, and start it (R166). Its uuid must be new.</summary>
/// <param name="Definition">What it is.</param>
/// <param name="Paused">Stand still before the first instruction.</param>
public sealed record RunTransient(DomainDefinition Definition, bool Paused) : Request("define");

/// <summary>Something about a domain that exists.</summary>
/// <param name="Operation">What is done, in the words of the command line.</param>
/// <param name="Domain">Its name or uuid.</param>
public abstract record DomainRequest(string Operation, string Domain) : Request(Operation);

/// <summary>Forget a domain. Images the user brought stay.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshots">Also if it has snapshots or tips; they go with it.</param>
public sealed record UndefineDomain(string Domain, bool Snapshots) : DomainRequest(Word, Domain)
{
    /// <summary>The operation, also where an interrupted one goes on without a request.</summary>
    public const string Word = "undefine";
}

/// <summary>Give a domain another name. Its snapshots go with it; it may run.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Name">The new name.</param>
public sealed record RenameDomain(string Domain, string Name) : DomainRequest("rename", Domain);

/// <summary>Let a transient domain stay when it ends (R166). Nothing happens if it would anyway.</summary>
public sealed record PersistDomain(string Domain) : DomainRequest("persist", Domain);

/// <summary>Have a domain started with the host, or no longer.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="IsOn">Whether it is to be started.</param>
public sealed record SetAutostart(string Domain, bool IsOn) : DomainRequest("autostart", Domain);

/// <summary>Start a domain that is off, or let one that was saved go on.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Paused">Stand still before the first or next instruction.</param>
/// <param name="Anew">Boot it also if it was saved; the saved memory goes.</param>
/// <param name="Force">Also if an image was written after a snapshot froze it; it counts as frozen from then on.</param>
public sealed record StartDomain(string Domain, bool Paused, bool Anew = false, bool Force = false) : DomainRequest("start", Domain)
{
    /// <summary>Set the guest's clock if it goes on from saved memory.</summary>
    public bool SyncTime { get; init; }
}

/// <summary>Keep the memory of an active domain in a file and switch it off, so that the next start goes on from there (R37).</summary>
public sealed record SaveDomain(string Domain) : DomainRequest("save", Domain);

/// <summary>Press the power button, and wait until the domain is off.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Limit">How long to wait.</param>
public sealed record StopDomain(string Domain, TimeSpan Limit) : DomainRequest("stop", Domain);

/// <summary>End a domain at once, as if its power failed.</summary>
public sealed record KillDomain(string Domain) : DomainRequest("kill", Domain);

/// <summary>Let a running domain stand still. Nothing happens if it does already.</summary>
public sealed record PauseDomain(string Domain) : DomainRequest("pause", Domain);

/// <summary>Let a paused domain go on. Nothing happens if it runs.</summary>
public sealed record ResumeDomain(string Domain) : DomainRequest("resume", Domain);

/// <summary>Reboot the guest.</summary>
public sealed record RebootDomain(string Domain) : DomainRequest("reboot", Domain);

/// <summary>Make a disk larger, in the image that it writes to. Nothing happens if it is that large.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Target">The disk, by target.</param>
/// <param name="Size">How large it is to be.</param>
public sealed record ResizeDisk(string Domain, string Target, ByteCount Size) : DomainRequest("disk resize", Domain);

/// <summary>Give a domain one disk more, while it runs or is off.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Image">The image.</param>
public sealed record AttachDisk(string Domain, NewDisk Image) : DomainRequest("disk attach", Domain)
{
    /// <summary>What it is to be called; null for the first name of its bus that is free.</summary>
    public string? Target { get; init; }

    /// <summary>How it is attached; null leaves that to the target, and is virtio without one.</summary>
    public DiskBus? Bus { get; init; }

    /// <summary>The guest cannot write to it.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>The serial number that the guest sees.</summary>
    public string? Serial { get; init; }
}

/// <summary>Take a disk from a domain, while it runs or is off. The image that the user brought stays, and snapshots keep what they have of it.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Target">The disk, by target.</param>
/// <param name="Discard">Also if what was written to it since the last snapshot goes with it.</param>
public sealed record DetachDisk(string Domain, string Target, bool Discard) : DomainRequest("disk detach", Domain);

/// <summary>What is asked of a disk in a snapshot.</summary>
/// <param name="Target">The disk, by target or by the path of its image.</param>
/// <param name="Mode">How it takes part; null leaves it to the rules.</param>
/// <param name="File">The new layer's file, for <see cref="DiskMode.External"/>.</param>
/// <param name="Format">The new layer's format; null means qcow2.</param>
public sealed record DiskRequest(string Target, DiskMode? Mode, string? File = null, string? Format = null);

/// <summary>What is asked of the memory in a snapshot.</summary>
/// <param name="Mode">Where it goes.</param>
/// <param name="File">The file, for <see cref="MemoryMode.External"/>; null to have one chosen (R185).</param>
/// <param name="Disk">The disk, for <see cref="MemoryMode.Internal"/>; null to have one chosen (R98).</param>
public sealed record MemoryRequest(MemoryMode Mode, string? File = null, string? Disk = null);

/// <summary>Take a snapshot. Whatever is null or absent follows the matrix (R109–R133).</summary>
public sealed record CreateSnapshot(string Domain) : DomainRequest("snapshot create", Domain)
{
    /// <summary>Its name; null to have one made (R23).</summary>
    public string? Name { get; init; }

    /// <summary>Its uuid; null to have one made (R23, R27).</summary>
    public SnapshotId? Id { get; init; }

    /// <summary>Free text.</summary>
    public string Description { get; init; } = "";

    /// <summary>What is asked of the memory; null leaves it to the matrix.</summary>
    public MemoryRequest? Memory { get; init; }

    /// <summary>What is asked of disks.</summary>
    public ImmutableArray<DiskRequest> Disks { get; init; } = [];

    /// <summary>Disks only, no memory (<c>--disk-only</c>).</summary>
    public bool DiskOnly { get; init; }

    /// <summary>The guest runs on while its memory is written.</summary>
    public bool Live { get; init; }

    /// <summary>Freeze the guest's file systems first.</summary>
    public bool Quiesce { get; init; }

    /// <summary>The domain is off afterwards.</summary>
    public bool Halt { get; init; }

    /// <summary>The layers are made and the guest moves on, but no snapshot is recorded.</summary>
    public bool NoMetadata { get; init; }

    /// <summary>The files of external disks are overlays that the user made beforehand.</summary>
    public bool ReuseExternal { get; init; }
}

/// <summary>
/// Change the record of a snapshot to what a document says, or put a snapshot back that was forgotten: no file of it is touched.
/// </summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Document">The document, read as <see cref="SnapshotParseMode.Redefine"/>.</param>
/// <param name="IsCurrent">Whether it becomes the current snapshot; head and disks stay as they are.</param>
public sealed record RedefineSnapshot(string Domain, SnapshotDocument Document, bool IsCurrent)
    : DomainRequest("snapshot create --redefine", Domain);

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
/// <param name="Force">Also if memory and disk may not fit each other, or an image was written since it was frozen (R180).</param>
public sealed record RevertSnapshot(string Domain, string? Snapshot, RevertState State, bool DiscardCurrent, bool Force)
    : DomainRequest("snapshot revert", Domain)
{
    /// <summary>Set the guest's clock if it goes on from the snapshot's memory.</summary>
    public bool SyncTime { get; init; }
}

/// <summary>Return to the newest tip; what is left becomes a tip in turn, so that undoing twice leads back.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Force">Also if memory and disk may not fit each other, or an image was written since it was frozen (R180).</param>
public sealed record UndoRevert(string Domain, bool Force = false) : DomainRequest("snapshot undo", Domain)
{
    /// <summary>Set the guest's clock if it goes on from the tip's memory.</summary>
    public bool SyncTime { get; init; }
}

/// <summary>Remove a snapshot.</summary>
/// <param name="Domain">Its name or uuid.</param>
/// <param name="Snapshot">The snapshot's name or uuid.</param>
/// <param name="MetadataOnly">Forget it but leave its files.</param>
public sealed record DeleteSnapshot(string Domain, string Snapshot, bool MetadataOnly) : DomainRequest("snapshot delete", Domain);

/// <summary>Change the name or the description of a snapshot; null keeps either (R9, R36).</summary>
public sealed record EditSnapshot(string Domain, string Snapshot, string? Name, string? Description)
    : DomainRequest("snapshot edit", Domain);

/// <summary>Make a snapshot the current one without touching head or disks (R7).</summary>
public sealed record SetCurrentSnapshot(string Domain, string Snapshot) : DomainRequest("snapshot current", Domain);
