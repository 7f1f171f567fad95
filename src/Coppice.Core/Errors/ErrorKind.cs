namespace Coppice.Core;

/// <summary>
/// What went wrong, in the few classes a caller can act on. One table per front end maps a kind to an exit code, an RPC
/// code or an HTTP status.
/// </summary>
public enum ErrorKind
{
    /// <summary>A defect in Coppice itself.</summary>
    Internal,

    /// <summary>The request, the XML or a name is malformed or contradicts itself (R111, R114, R134–R136).</summary>
    InvalidInput,

    /// <summary>A domain, snapshot, disk or file that was named does not exist.</summary>
    NotFound,

    /// <summary>A name, uuid or file is already taken.</summary>
    AlreadyExists,

    /// <summary>The domain is in a state in which the request makes no sense.</summary>
    WrongState,

    /// <summary>The driver lacks a capability, found while planning; or the host has no memory or no KVM for a guest.</summary>
    MissingCapability,

    /// <summary>The request would lose something and was not forced (R180).</summary>
    WouldLose,

    /// <summary>Another command holds the domain.</summary>
    Busy,

    /// <summary>An image, a path or a document is hostile or outside the allowed folders.</summary>
    Forbidden,

    /// <summary>The file system refused: no space, no permission, an I/O error.</summary>
    Storage,

    /// <summary>The hypervisor refused, died or answered nonsense.</summary>
    Hypervisor,

    /// <summary>Something of ours on disk is unreadable or of an unknown version.</summary>
    Damaged,

    /// <summary>After a crash it cannot be told what happened; a person has to look.</summary>
    Uncertain,

    /// <summary>The caller cancelled; everything was undone.</summary>
    Cancelled,
}
