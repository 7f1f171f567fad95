using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace Coppice.Core;

/// <summary>What a domain is doing, as <c>&lt;state&gt;</c> names it (R25, R138).</summary>
public enum DomainState
{
    /// <summary>Not running: <c>shutoff</c>.</summary>
    Off,

    /// <summary><c>running</c>.</summary>
    Running,

    /// <summary>Stopped by a user: <c>paused</c>.</summary>
    Paused,

    /// <summary>Asleep by the guest's own doing: <c>pmsuspended</c>.</summary>
    Suspended,

    /// <summary>Stopped by the hypervisor because a disk failed: <c>paused</c>, reason I/O error.</summary>
    IoError,

    /// <summary>Off, with its memory kept by a managed save: <c>shutoff</c>, reason saved.</summary>
    Saved,

    /// <summary>The guest panicked: <c>crashed</c>.</summary>
    Crashed,
}

/// <summary>Where a snapshot keeps the memory of the domain (R95–R99).</summary>
public enum MemoryMode
{
    /// <summary>Not kept.</summary>
    None,

    /// <summary>Inside one of the disks.</summary>
    Internal,

    /// <summary>In a file of its own.</summary>
    External,
}

/// <summary>How a disk takes part in a snapshot.</summary>
public enum DiskMode
{
    /// <summary>It does not.</summary>
    None,

    /// <summary>Inside its own image.</summary>
    Internal,

    /// <summary>Its layer is frozen and a new one takes the writes.</summary>
    External,

    /// <summary>Somebody else snapshots it while the domain is paused.</summary>
    Manual,
}

/// <summary>What a guest finds that starts on the disks of a snapshot (R91).</summary>
public enum Consistency
{
    /// <summary>What it had: it was off, or its memory was kept in the same instant.</summary>
    Exact,

    /// <summary>Whole file systems: its agent had frozen them. Programs may have to recover.</summary>
    FileSystems,

    /// <summary>What a power failure leaves.</summary>
    Crash,
}

/// <summary>How an external memory image is laid out.</summary>
public enum MemoryFormat
{
    /// <summary>A migration stream: device state and RAM, read from beginning to end.</summary>
    Stream,

    /// <summary>A file that begins with the RAM, as it can be mapped, and ends with the device state, a migration stream without RAM.</summary>
    Mapped,
}

/// <summary>The memory that a snapshot or tip keeps.</summary>
public sealed record MemoryImage
{
    /// <summary>Where it is.</summary>
    public required MemoryMode Mode { get; init; }

    /// <summary>The absolute path of an external image.</summary>
    public string? File { get; init; }

    /// <summary>The disk that holds an internal one (R98).</summary>
    public string? Disk { get; init; }

    /// <summary>The internal snapshot that holds an internal one, on that disk.</summary>
    public ShortId? Layer { get; init; }

    /// <summary>The layout of an external one.</summary>
    public MemoryFormat Format { get; init; }

    /// <summary>Who made the file, which decides who may remove it.</summary>
    public LayerOrigin Origin { get; init; } = LayerOrigin.Coppice;

    /// <summary>It lies on a volatile memory volume, and is gone after a loss of power.</summary>
    public bool IsVolatile { get; init; }

    /// <summary>The version of the hypervisor that wrote it, as it says itself; null if it is not known.</summary>
    public string? WrittenBy { get; init; }

    /// <summary>The layout in a word.</summary>
    [JsonIgnore]
    public string Layout => Format is MemoryFormat.Mapped ? "mapped" : "stream";

    /// <summary>No memory.</summary>
    public static MemoryImage None { get; } = new() { Mode = MemoryMode.None };
}

/// <summary>What a snapshot keeps of one disk.</summary>
public sealed record DiskSnapshot
{
    /// <summary>The disk, by target.</summary>
    public required string Target { get; init; }

    /// <summary>How it took part.</summary>
    public required DiskMode Mode { get; init; }

    /// <summary>
    /// The layer with the content: the one that was frozen for <see cref="DiskMode.External"/>, the internal snapshot for
    /// <see cref="DiskMode.Internal"/>. For the others the one the guest was using, which went on being written.
    /// </summary>
    public required ShortId Layer { get; init; }

    /// <summary>Whether the snapshot keeps the content of the disk.</summary>
    [JsonIgnore]
    public bool IsKept => Mode is DiskMode.Internal or DiskMode.External;
}

/// <summary>
/// A named, immutable reference: frozen layers, a memory image or none, the definition and state at that time, the parent.
/// Only name and description ever change.
/// </summary>
public sealed record Snapshot
{
    /// <summary>Unique for ever.</summary>
    public required SnapshotId Id { get; init; }

    /// <summary>Unique within the domain (R39).</summary>
    public required string Name { get; init; }

    /// <summary>Free text; empty if none was given (R24).</summary>
    public string Description { get; init; } = "";

    /// <summary>When it was taken.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>What the domain was doing (R25).</summary>
    public required DomainState State { get; init; }

    /// <summary>The snapshot that was current then (R26); null for a root.</summary>
    public SnapshotId? Parent { get; init; }

    /// <summary>The stored definition it was taken with.</summary>
    public required ShortId Definition { get; init; }

    /// <summary>The memory it keeps.</summary>
    public required MemoryImage Memory { get; init; }

    /// <summary>The agent in the guest had frozen its file systems in that instant (R91).</summary>
    public bool IsQuiesced { get; init; }

    /// <summary>What a guest finds that starts on its disks.</summary>
    [JsonIgnore]
    public Consistency Consistency =>
        State is DomainState.Off || Memory.Mode is not MemoryMode.None ? Consistency.Exact
        : IsQuiesced ? Consistency.FileSystems
        : Consistency.Crash;

    /// <summary>What the domain's TPM kept in that instant; null if it had none.</summary>
    public ShortId? Tpm { get; init; }

    /// <summary>Every disk of the domain, in the definition's order, also those that took no part.</summary>
    public required ImmutableArray<DiskSnapshot> Disks { get; init; }

    /// <summary>
    /// The layers that this snapshot froze or made inside images. Each layer stands in exactly one place of a catalog.
    /// </summary>
    public ImmutableArray<Layer> Layers { get; init; } = [];

    /// <summary>Whether it keeps the content of every drive that a definition lets its guest write to.</summary>
    public bool KeepsAllOf(DomainDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return definition.DisksAndFlash.Where(d => d.IsWritten && d.Source is not null)
            .All(written => Disks.Any(d => d.Target == written.Target && d.IsKept));
    }
}
