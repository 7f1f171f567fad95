namespace Coppice.Core;

/// <summary>What became of a guest.</summary>
public enum GuestEventKind
{
    /// <summary>The watch has begun: whoever looks at the domain from now on misses nothing.</summary>
    Began,

    /// <summary>It was reset, and boots. Firmware may do that once or twice more on its way, as a guest.</summary>
    Reset,

    /// <summary>It has powered off, or was. Its process ends unless the definition preserves it.</summary>
    PoweredOff,

    /// <summary>
    /// It stands still: it was paused, or something failed. Whatever pauses it for an instant, as a checkpoint does, is told too.
    /// </summary>
    Stopped,

    /// <summary>It goes on.</summary>
    Resumed,

    /// <summary>It has suspended itself to memory.</summary>
    Suspended,

    /// <summary>It was woken up.</summary>
    WokenUp,

    /// <summary>An image of a disk could not be read or written.</summary>
    DiskFailed,

    /// <summary>Its kernel has panicked.</summary>
    Panicked,

    /// <summary>A merge in its process has come further.</summary>
    JobChanged,
}

/// <summary>Something that became of a guest.</summary>
/// <param name="Kind">What.</param>
public sealed record GuestEvent(GuestEventKind Kind)
{
    /// <summary>Whether the guest did it itself: <see cref="GuestEventKind.Reset"/>, <see cref="GuestEventKind.PoweredOff"/>.</summary>
    public bool ByGuest { get; init; }

    /// <summary>What failed: <see cref="GuestEventKind.DiskFailed"/>. Null for all else.</summary>
    public DiskFailure? Failure { get; init; }

    /// <summary>What has come further: <see cref="GuestEventKind.JobChanged"/>. Null for all else.</summary>
    public JobChange? Job { get; init; }
}

/// <summary>What a guest is told of a request that failed.</summary>
public enum FailureAction
{
    /// <summary>It is told.</summary>
    Reported,

    /// <summary>It is told that all went well.</summary>
    Ignored,

    /// <summary>It stands still, and the request is tried again when it goes on.</summary>
    Stopped,
}

/// <summary>A request to a disk failed.</summary>
/// <param name="Target">The disk; null if it cannot be told.</param>
/// <param name="IsWrite">Whether it was to be written, rather than read.</param>
/// <param name="Action">What the guest is told.</param>
/// <param name="IsNoSpace">Whether there was no room for it.</param>
public sealed record DiskFailure(string? Target, bool IsWrite, FailureAction Action, bool IsNoSpace);

/// <summary>A merge has come further.</summary>
/// <param name="Id">The job.</param>
/// <param name="State">
/// How far. Failed also if it was cancelled. Gone after ready is finished, after failed given up; one that has failed and is still
/// there stands still.
/// </param>
public sealed record JobChange(ShortId Id, MergeState State);
