namespace Coppice.Images;

/// <summary>One entry of a qcow2 snapshot table (qcow2 spec, "Snapshots").</summary>
public sealed record InternalSnapshot
{
    /// <summary>The id, unique in the image; QEMU counts "1", "2", …</summary>
    public required string Id { get; init; }

    /// <summary>The name; not necessarily unique.</summary>
    public required string Name { get; init; }

    /// <summary>When it was taken (entry bytes 16–23).</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>How long the guest had been running, in nanoseconds (entry bytes 24–31).</summary>
    public required ulong VmClockNanoseconds { get; init; }

    /// <summary>The saved memory's size, 0 if there is none (extra data bytes 40–47, else entry bytes 32–35).</summary>
    public required long VmStateBytes { get; init; }

    /// <summary>The disk's size at that time (extra data bytes 48–55; the image's present size if absent).</summary>
    public required long DiskSizeBytes { get; init; }

    /// <summary>Where its L1 table lies (entry bytes 0–7).</summary>
    internal long L1OffsetBytes { get; init; }

    /// <summary>The entries of its L1 table (entry bytes 8–11).</summary>
    internal int L1Entries { get; init; }

    /// <summary>Whether memory was saved with the disk.</summary>
    public bool HasVmState => VmStateBytes > 0;
}
