using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A domain's disk with the whole chain of its images, top first.</summary>
public sealed record DiskChain(string Target, ImmutableArray<Layer> Layers)
{
    /// <summary>
    /// How many of the layers, from the lowest up, other disks of the domain build on as well: a process that has those disks has
    /// these layers open, and keeps them open without this one.
    /// </summary>
    public int Shared { get; init; }

    /// <summary>The same beside other disks.</summary>
    /// <param name="others">Their layers.</param>
    public DiskChain Beside(IEnumerable<Layer> others)
    {
        ArgumentNullException.ThrowIfNull(others);
        var open = others.Select(l => l.Id).ToHashSet();
        return this with { Shared = Layers.Reverse().TakeWhile(l => open.Contains(l.Id)).Count() };
    }
}

/// <summary>Start a process for a domain.</summary>
/// <param name="Process">The name it gets.</param>
/// <param name="Definition">The sealed definition.</param>
/// <param name="Disks">Its disks.</param>
/// <param name="Memory">The memory to load; <see cref="MemoryImage.None"/> to boot.</param>
public sealed record LaunchRequest(
    ShortId Process, DomainDefinition Definition, ImmutableArray<DiskChain> Disks, MemoryImage Memory)
{
    /// <summary>The internal snapshot that holds internal memory. It is read, never written, and may be in use.</summary>
    public Layer? MemoryHolder { get; init; }

    /// <summary>
    /// The file that is its RAM; null for memory that is nowhere else. A mapped image needs one: it is cloned there, or copied.
    /// </summary>
    public RamPlace? Ram { get; init; }

    /// <summary>What its TPM keeps; null if the definition has none. Loaded memory brings its own, which replaces this.</summary>
    public ShortId? Tpm { get; init; }

    /// <summary>The process that ran the domain before, and has ended; null if none is recorded.</summary>
    public ShortId? Predecessor { get; init; }

    /// <summary>
    /// The process that still runs the domain and is ended before this one takes over; null if none does. A tap device that it
    /// has passes on then. Any other that cannot be had is refused at once.
    /// </summary>
    public ShortId? Beside { get; init; }

    /// <summary>
    /// How long it waits, as a spare, until <see cref="IHypervisor.TakeSpare"/> takes it; then it ends by itself, whether or not anybody of
    /// ours still runs. Until it is taken it has no tap devices. Null for one that is taken at once.
    /// </summary>
    public TimeSpan? Waits { get; init; }

    /// <summary>
    /// A guest that goes on from memory has the definition's generation id, because no other goes on from it under that id.
    /// Otherwise it gets a new one, at random, and learns that it was restored.
    /// </summary>
    public bool KeepsGeneration { get; init; }
}

/// <summary>What a TPM keeps, copied.</summary>
/// <param name="From">What there is.</param>
/// <param name="To">The copy, which does not exist yet.</param>
public sealed record TpmCopy(ShortId From, ShortId To)
{
    /// <summary>The domain that has what is copied; null for the one in whose folder the copy goes.</summary>
    public DomainId? Of { get; init; }
}

/// <summary>A disk that moves to a new layer within a checkpoint.</summary>
/// <param name="Target">The disk.</param>
/// <param name="From">The layer that becomes frozen.</param>
/// <param name="To">The empty layer that takes the writes from then on.</param>
public sealed record DiskSwitch(string Target, Layer From, Layer To);

/// <summary>Keep the memory and the disks of an active domain, all of one instant.</summary>
/// <param name="Process">The process.</param>
/// <param name="State">What it was doing; undoing returns to it.</param>
/// <param name="Memory">
/// Where the memory goes; <see cref="MemoryImage.None"/> if it is not kept. A mapped image is a clone of the process's RAM, which must
/// be clonable, with the device state behind it.
/// </param>
/// <param name="Disks">The disks that move.</param>
/// <param name="MemoryEstimate">About how many bytes the memory image will have.</param>
public sealed record CheckpointRequest(
    ShortId Process, DomainState State, MemoryImage Memory, ImmutableArray<DiskSwitch> Disks, ByteCount MemoryEstimate)
{
    /// <summary>In how many pieces the RAM lies that is cloned.</summary>
    public int RamExtents { get; init; }

    /// <summary>
    /// The internal snapshots to make in images that the process writes to, all with one tag. Internal memory goes into the
    /// one that its <see cref="MemoryImage.Layer"/> names.
    /// </summary>
    public ImmutableArray<Layer> Internals { get; init; } = [];

    /// <summary>What the TPM keeps is copied in the same instant; null if the domain has none.</summary>
    public TpmCopy? TpmCopy { get; init; }

    /// <summary>
    /// The guest goes on while its memory, a stream, is being written: as it was in the instant of the disks. For one that runs, has no
    /// TPM and is let go on.
    /// </summary>
    public bool RunsOn { get; init; }

    /// <summary>The guest stands still afterwards, so that somebody else can snapshot a disk of it.</summary>
    public bool StaysPaused { get; init; }
}

/// <summary>Stop an active domain for good, so that another process can follow it.</summary>
/// <param name="Process">The process that is left.</param>
/// <param name="State">What it was doing; undoing returns to it.</param>
/// <param name="Memory">Where its memory is kept; <see cref="MemoryImage.None"/> to let it go.</param>
/// <param name="Successor">The process that follows, waiting with its memory loaded; null if none does.</param>
/// <param name="SuccessorRuns">Whether the successor is to run, rather than stay paused.</param>
/// <param name="MemoryEstimate">About how many bytes the memory image will have.</param>
public sealed record LeaveRequest(
    ShortId Process, DomainState State, MemoryImage Memory, ShortId? Successor, bool SuccessorRuns, ByteCount MemoryEstimate)
{
    /// <summary>In how many pieces the RAM lies that is cloned.</summary>
    public int RamExtents { get; init; }
}

/// <summary>A plain command to an active domain.</summary>
public enum DomainSignal
{
    /// <summary>Let the guest stand still.</summary>
    Pause,

    /// <summary>Let it go on.</summary>
    Resume,

    /// <summary>Press the power button.</summary>
    PowerButton,

    /// <summary>Ask the guest to reboot, or reset it if it cannot be asked.</summary>
    Reboot,

    /// <summary>Press the reset button.</summary>
    Reset,
}
