using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>A file to copy, with its holes. It is only read; the copy must not exist yet, and undo removes it.</summary>
/// <param name="Source">The absolute path of the file.</param>
/// <param name="Path">The copy.</param>
/// <param name="Estimate">About how many bytes are copied.</param>
public sealed record FileToCopy(string Source, string Path, ByteCount Estimate)
{
    /// <summary>
    /// The folder that somebody else filled, of which the source is a part: no link is followed out of it. Null for what our own
    /// records name.
    /// </summary>
    public string? Within { get; init; }

    /// <summary>The SHA-256 that the copy must have, in lower-case hex; null if none is known.</summary>
    public string? Sha256 { get; init; }
}

/// <summary>
/// An image to copy, with all that is inside it. The copy is checked with what it builds on before anybody opens it, which must be
/// there by then.
/// </summary>
/// <param name="File">What is copied where.</param>
/// <param name="Type">What the source is kept in.</param>
/// <param name="Chain">The copy as it will be recorded, and what it builds on, top first.</param>
public sealed record ImageToCopy(FileToCopy File, StorageType Type, ImmutableArray<Layer> Chain)
{
    /// <summary>The image names another one that it builds on: it has to be told the first of the chain below it.</summary>
    public bool IsRelinked { get; init; }
}

/// <summary>What there is at a place where a folder is to be made.</summary>
/// <param name="IsTaken">Something is there already.</param>
/// <param name="HasParent">The folder above it is there.</param>
/// <param name="Free">Free space on its file system.</param>
/// <param name="TakesClones">Its file system can share the bytes of copies, so that they may take no room.</param>
public sealed record PlaceObservation(bool IsTaken, bool HasParent, ByteCount Free, bool TakesClones);
