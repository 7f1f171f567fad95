using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>An internal snapshot that an image holds.</summary>
/// <param name="Tag">Its name, chosen by whoever made it; an image may hold several of one name.</param>
/// <param name="TakenAt">When it was taken, as whoever made it says.</param>
/// <param name="HasMemory">The memory of a guest was saved with it.</param>
/// <param name="WasRunning">A guest had been running then, with or without its memory saved.</param>
/// <param name="VirtualSize">How large the disk was.</param>
public sealed record FoundInternal(string Tag, DateTimeOffset TakenAt, bool HasMemory, bool WasRunning, ByteCount VirtualSize);

/// <summary>What a storage backend says about the layer a disk writes to.</summary>
public sealed record LayerObservation
{
    /// <summary>The layer.</summary>
    public required ShortId Layer { get; init; }

    /// <summary>Whether the image is there.</summary>
    public bool Exists { get; init; }

    /// <summary>
    /// Whether nothing was written to it since it was made, also by a guest that runs: nothing is lost if it goes.
    /// </summary>
    public bool IsEmpty { get; init; }

    /// <summary>How large the disk is that the image holds now; 0 if it cannot be told.</summary>
    public ByteCount VirtualSize { get; init; }

    /// <summary>The internal snapshots that the image holds, whoever made them (R52, R55); none if they cannot be read.</summary>
    public ImmutableArray<FoundInternal> Internals { get; init; } = [];

    /// <summary>Free space on the file system of the image, into which internal memory grows.</summary>
    public ByteCount FreeBeside { get; init; }

    /// <summary>
    /// When the image was last written, by a clock that nobody sets back with the file; null if it cannot be told, as of a block
    /// device, whose node says nothing about its content.
    /// </summary>
    public DateTimeOffset? WrittenAt { get; init; }

    /// <summary>The folder in which the next layer goes when none was named.</summary>
    public required string OverlayFolder { get; init; }

    /// <summary>Free space in that folder.</summary>
    public ByteCount Free { get; init; }

    /// <summary>The size of the file system of that folder; 0 if it cannot be told.</summary>
    public ByteCount Capacity { get; init; }

    /// <summary>Free space for memory images, in the domain's memory folder.</summary>
    public ByteCount FreeForMemory { get; init; }

    /// <summary>The size of the file system of that folder; 0 if it cannot be told.</summary>
    public ByteCount CapacityForMemory { get; init; }
}

/// <summary>A file or block device, whatever it is called.</summary>
/// <param name="Identity">
/// The same for all its names: hard links, symbolic links, paths through other mounts, other nodes of one device.
/// </param>
/// <param name="Allocated">What it takes on disk; nothing for a device.</param>
/// <param name="Type">Which of the two it is.</param>
public sealed record FileObservation(string Identity, ByteCount Allocated, StorageType Type = StorageType.File)
{
    /// <summary>
    /// When its content was last written; a copy or backup may keep that time. The earliest time there is for a device.
    /// </summary>
    public DateTimeOffset ModifiedAt { get; init; }

    /// <summary>How many bytes it has, holes included; nothing for a device.</summary>
    public ByteCount Length { get; init; }

    /// <summary>How many names it has; one that has more is shared, and must not be written.</summary>
    public int Links { get; init; } = 1;
}

/// <summary>Where a domain puts a layer on one that it shares with another domain.</summary>
/// <param name="Folder">The folder, on the file system of the shared layer if there can be one.</param>
/// <param name="TakesLink">Whether the file of the shared layer can have a second name there.</param>
public sealed record SharedPlace(string Folder, bool TakesLink);
