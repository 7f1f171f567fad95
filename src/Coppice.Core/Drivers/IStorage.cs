using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What a storage backend says about the layer a disk writes to.</summary>
public sealed record LayerObservation
{
    /// <summary>The layer.</summary>
    public required ShortId Layer { get; init; }

    /// <summary>Whether the image is there.</summary>
    public bool Exists { get; init; }

    /// <summary>Whether nothing was written to it since it was made, also by a guest that runs: nothing is lost if it goes.</summary>
    public bool IsEmpty { get; init; }

    /// <summary>How large the disk is that the image holds now; 0 if it cannot be told.</summary>
    public ByteCount VirtualSize { get; init; }

    /// <summary>The names of the internal snapshots that the image holds, whoever made them (R52, R55).</summary>
    public ImmutableArray<string> Internals { get; init; } = [];

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

    /// <summary>Free space for memory images, in the domain's memory folder.</summary>
    public ByteCount FreeForMemory { get; init; }
}

/// <summary>A file or block device, whatever it is called.</summary>
/// <param name="Identity">
/// The same for all its names: hard links, symbolic links, paths through other mounts, other nodes of one device.
/// </param>
/// <param name="Allocated">What it takes on disk; nothing for a device.</param>
/// <param name="Type">Which of the two it is.</param>
public sealed record FileObservation(string Identity, ByteCount Allocated, StorageType Type = StorageType.File)
{
    /// <summary>When its content was last written; a copy or backup may keep that time. The earliest time there is for a device.</summary>
    public DateTimeOffset ModifiedAt { get; init; }

    /// <summary>How many names it has; one that has more is shared, and must not be written.</summary>
    public int Links { get; init; } = 1;
}

/// <summary>
/// A kind of storage. It observes layers, checks chains before anybody opens them, and lowers what a plan needs into
/// prepare and clean-up steps, which it carries out as an <see cref="IStepExecutor"/>. Lowering is pure.
/// </summary>
public interface IStorage : IStepExecutor
{
    /// <summary>
    /// The layers of an image that a user brought, top first. Follows the backing names only where the image states their
    /// format and they stay inside the folder of the image.
    /// </summary>
    /// <exception cref="CoppiceException">
    /// The image is missing (<see cref="ErrorKind.NotFound"/>), broken (<see cref="ErrorKind.Damaged"/>), leads elsewhere
    /// (<see cref="ErrorKind.Forbidden"/>), is not kept in what the definition says (<see cref="ErrorKind.InvalidInput"/>), or
    /// is a block device that the host itself uses (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    Task<ImmutableArray<Layer>> DiscoverAsync(DiskDevice disk, CancellationToken cancellation);

    /// <summary>
    /// Checks that the images of a chain are what the catalog says, before anybody else opens them. The top may be an internal
    /// snapshot, which must be there (R55). A block device must not be in use by the host itself, nor have become too small for
    /// what is built on it.
    /// </summary>
    /// <exception cref="CoppiceException">They are not.</exception>
    Task CheckAsync(ImmutableArray<Layer> chain, CancellationToken cancellation);

    /// <summary>What is to be known of a layer before the next one is planned on it.</summary>
    Task<LayerObservation> ObserveAsync(DomainFolder folder, Layer layer, CancellationToken cancellation);

    /// <summary>What the files at some paths are; a path at which there is none is left out.</summary>
    Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation);

    /// <summary>An empty layer on another. Undone unless the guest has moved to it.</summary>
    Step CreateOverlay(Layer overlay, Layer backing);

    /// <summary>
    /// Uses an empty layer that somebody made beforehand, and checks that it is still empty, on the layer it is to build on, and
    /// used by nobody else. It is theirs: undo leaves it.
    /// </summary>
    /// <param name="overlay">The layer.</param>
    /// <param name="below">What it builds on, top first.</param>
    Step AdoptOverlay(Layer overlay, ImmutableArray<Layer> below);

    /// <summary>
    /// A layer of its own with the content of an internal snapshot, on the same parent: a revert never writes into the image
    /// that holds it. That image may be in use. Undone unless the guest has moved to the copy.
    /// </summary>
    /// <param name="copy">The new layer.</param>
    /// <param name="snapshot">The internal snapshot.</param>
    /// <param name="parent">What both build on; null if nothing.</param>
    /// <param name="estimate">About how many bytes are copied.</param>
    Step CopyInternal(Layer copy, Layer snapshot, Layer? parent, ByteCount estimate);

    /// <summary>An internal snapshot of an image that nobody uses. Undo removes it.</summary>
    Step CreateInternal(Layer snapshot);

    /// <summary>
    /// Makes sure that the hypervisor can make an internal snapshot. Undo removes what it made, whole or half, once nobody
    /// uses the image any more, and mends an image that was left torn; while somebody does, that is the hypervisor's.
    /// </summary>
    Step ExpectInternal(Layer snapshot);

    /// <summary>Removes an internal snapshot from an image that nobody uses. Clean-up; also for one that is gone already.</summary>
    Step RemoveInternal(Layer snapshot);

    /// <summary>Removes a file that nothing reaches, but never a device. Clean-up; also for one that is gone already.</summary>
    Step Remove(string path, ByteCount bytes);

    /// <summary>
    /// Removes a layer that nothing reaches any more and to which nothing was written. Clean-up. One to which a guest has written in the
    /// meantime stays, and is told.
    /// </summary>
    Step RemoveUnwritten(Layer overlay);

    /// <summary>
    /// The variables of a firmware, as its raw template has them; the file must not exist yet. Undo removes it while
    /// it is as its template.
    /// </summary>
    Step CreateVariables(Layer variables, string template);

    /// <summary>Makes an image larger that nobody uses. It cannot be taken back; probing tells by the size.</summary>
    Step Resize(Layer layer, ByteCount size);

    /// <summary>Writes a text file, durable, that must not exist yet. Undo removes it.</summary>
    Step WriteFile(string path, string content);
}
