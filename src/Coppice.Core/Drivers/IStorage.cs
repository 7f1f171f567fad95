using System.Collections.Immutable;

namespace Coppice.Core;

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

    /// <summary>
    /// The memory volume of a home, with the RAM of all guests on it; null if it has none, or one that is not mounted. Reads only.
    /// </summary>
    Task<MemoryVolume?> ObserveVolumeAsync(HomeFolder home, CancellationToken cancellation);

    /// <summary>
    /// Waits until what was written to the volume, and removed from it, has reached its tables. Before that room counts as taken that is free,
    /// and pages of a guest as shared that are its own.
    /// </summary>
    Task SettleVolumeAsync(HomeFolder home, CancellationToken cancellation);

    /// <summary>
    /// Makes the memory volume of a home, and mounts it. Its room is taken at once, so that no guest ever finds it missing. What an
    /// attempt before left half made goes first.
    /// </summary>
    /// <exception cref="CoppiceException">
    /// There is one already (<see cref="ErrorKind.AlreadyExists"/>), it cannot clone files (<see cref="ErrorKind.MissingCapability"/>),
    /// is too small (<see cref="ErrorKind.InvalidInput"/>), or there is no room or no permission (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    Task MakeVolumeAsync(HomeFolder home, NewMemoryVolume volume, CancellationToken cancellation);

    /// <summary>
    /// Takes room on the memory volume before it is used, unless it is promised to others by now. RAM of a new process is made, empty; RAM
    /// that is going to be cloned is marked (<see cref="RoomClaim.Mark"/>), for whoever removes that after the clone. Undo gives it back.
    /// </summary>
    Step ClaimRoom(RoomClaim claim);

    /// <summary>
    /// Mounts the memory volume of a home again, as after a restart of the host; a volatile one is empty then. Nothing happens if it is
    /// mounted, or there is none.
    /// </summary>
    /// <exception cref="CoppiceException">It cannot be mounted (<see cref="ErrorKind.Storage"/>).</exception>
    Task MountVolumeAsync(HomeFolder home, CancellationToken cancellation);

    /// <summary>Removes the memory volume of a home, with all that is on it. Can be repeated; nothing happens if there is none.</summary>
    /// <exception cref="CoppiceException">A process has files open there (<see cref="ErrorKind.Busy"/>).</exception>
    Task RemoveVolumeAsync(HomeFolder home, CancellationToken cancellation);

    /// <summary>What the files at some paths are; a path at which there is none is left out.</summary>
    Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation);

    /// <summary>
    /// What lies where nobody but Coppice puts files for a domain, known or not: layers, memory images and what TPMs keep in its
    /// folder, and layers beside the images that these build on. Links are not followed.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="layers">Its layers.</param>
    /// <param name="cancellation">Ends the looking.</param>
    Task<ImmutableDictionary<string, FileObservation>> ListAsync(
        DomainFolder folder, ImmutableArray<Layer> layers, CancellationToken cancellation);

    /// <summary>
    /// Whether the tables of an image fit, without what it builds on. Its chain must have been checked
    /// (<see cref="CheckAsync"/>), and no process of the domain may have it open for writing. One that begins to meanwhile is not
    /// hindered, if they fit.
    /// </summary>
    /// <returns>Of an image whose tables do not fit while somebody writes to it: <see cref="ImageHealth.InUse"/>.</returns>
    /// <exception cref="CoppiceException">It cannot be examined.</exception>
    Task<ImageHealth> ExamineAsync(Layer image, CancellationToken cancellation);

    /// <summary>
    /// Where the content of two disks differs, by reading no more than what may. Their chains must have been checked
    /// (<see cref="CheckAsync"/>); the top of each may be an internal snapshot. A process may have them open.
    /// </summary>
    /// <param name="one">A chain, top first.</param>
    /// <param name="other">Another one of the same disk.</param>
    /// <param name="cancellation">Ends the reading.</param>
    /// <exception cref="CoppiceException">An image cannot be read.</exception>
    Task<DiskDifference> CompareAsync(ImmutableArray<Layer> one, ImmutableArray<Layer> other, CancellationToken cancellation);

    /// <summary>
    /// The SHA-256 of what a layer defines of its disk, in lower-case hex: which ranges hold data or zeros, and the data, but not
    /// how its file is laid out. It stays the same when a link, a time, a reference count or another internal snapshot of the
    /// file changes. The layer may be an internal snapshot, and a process may have the image open.
    /// </summary>
    /// <exception cref="CoppiceException">The image cannot be read.</exception>
    Task<string> DigestAsync(Layer layer, CancellationToken cancellation);

    /// <summary>The SHA-256 of a file, in lower-case hex.</summary>
    /// <exception cref="CoppiceException">It cannot be read; missing is <see cref="ErrorKind.NotFound"/>.</exception>
    Task<string> DigestFileAsync(string path, CancellationToken cancellation);

    /// <summary>Where a domain goes on from a frozen layer of another.</summary>
    /// <param name="folder">The domain that goes on from it.</param>
    /// <param name="layer">The layer, as the other domain has it.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    Task<SharedPlace> FindPlaceAsync(DomainFolder folder, Layer layer, CancellationToken cancellation);

    /// <summary>Whether a file can have a second name in a folder, which may not exist yet.</summary>
    Task<bool> CanLinkAsync(string file, string folder, CancellationToken cancellation);

    /// <summary>
    /// Gives a frozen file a second name; durable on return. From then on neither is written. Undo removes that name, and nobody
    /// else's file. Not to be repeated over a file of another content.
    /// </summary>
    Step Link(string file, string name);

    /// <summary>
    /// A copy of memory that is kept in a file or inside an image; both may be in use, and are only read. The copy must not
    /// exist yet. Undo removes it.
    /// </summary>
    /// <param name="memory">The memory.</param>
    /// <param name="holder">The internal snapshot that holds it; null if it is in a file.</param>
    /// <param name="path">The copy: a file with the memory alone.</param>
    /// <param name="estimate">About how many bytes are copied.</param>
    Step CopyMemory(MemoryImage memory, Layer? holder, string path, ByteCount estimate);

    /// <summary>What there is where a folder is to be made.</summary>
    Task<PlaceObservation> ObservePlaceAsync(string folder, CancellationToken cancellation);

    /// <summary>Makes a folder of a name that nobody else has. Undo removes it with all that is in it by then.</summary>
    Step MakeFolder(string folder);

    /// <summary>
    /// A copy of a file, durable. One that was written while it was copied, that is not the one its checksum is of, or that does not fit is
    /// refused.
    /// </summary>
    Step CopyFile(FileToCopy file);

    /// <summary>A copy of an image likewise. Nobody opens it before its chain has been checked.</summary>
    Step CopyImage(ImageToCopy image);

    /// <summary>Writes the checksums of all files in a folder into it (<see cref="ExportFolder.Sums"/>), and makes it durable.</summary>
    Step SealFolder(string folder);

    /// <summary>
    /// Gives a folder another name on the same file system, which nothing may have yet. It cannot be taken back; probing tells by what is
    /// there.
    /// </summary>
    Step PublishFolder(string folder, string name);

    /// <summary>Reads a file of a folder that somebody else filled. No link is followed out of it.</summary>
    /// <exception cref="CoppiceException">
    /// It is missing (<see cref="ErrorKind.NotFound"/>), no plain file (<see cref="ErrorKind.Forbidden"/>) or too long.
    /// </exception>
    Task<byte[]> ReadPlainAsync(string folder, string name, int maximum, CancellationToken cancellation);

    /// <summary>An empty layer on another. Undone unless the guest has moved to it.</summary>
    Step CreateOverlay(Layer overlay, Layer backing);

    /// <summary>An empty image that builds on nothing. Undone while it is empty.</summary>
    Step CreateImage(Layer image);

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

    /// <summary>
    /// Removes an internal snapshot from an image that nobody uses. Clean-up; also for one that is gone already.
    /// </summary>
    Step RemoveInternal(Layer snapshot);

    /// <summary>Removes a file that nothing reaches, but never a device. Clean-up; also for one that is gone already.</summary>
    Step Remove(string path, ByteCount bytes);

    /// <summary>
    /// Removes a layer that nothing reaches any more and to which nothing was written. Clean-up. One to which a guest has written
    /// in the meantime stays, and is told.
    /// </summary>
    Step RemoveUnwritten(Layer overlay);

    /// <summary>
    /// Gives back the clusters of an image that nothing uses. What the disk holds stays as it is, and so does the time by which
    /// it is known that nobody wrote to it. Clean-up. An image that somebody uses by now, or that has more names than one, is
    /// left alone, and that is told.
    /// </summary>
    Step RepairLeaks(Layer image);

    /// <summary>
    /// The variables of a firmware, as its raw template has them; the file must not exist yet. Undo removes it while
    /// it is as its template.
    /// </summary>
    Step CreateVariables(Layer variables, string template);

    /// <summary>Makes an image larger that nobody uses. It cannot be taken back; probing tells by the size.</summary>
    Step Resize(Layer layer, ByteCount size);

    /// <summary>
    /// What each direction of a merge would write. An image that a guest writes to is read as it is; what it has written since it
    /// was last flushed may be missing.
    /// </summary>
    /// <exception cref="CoppiceException">An image is missing or broken.</exception>
    Task<MergeCost> MeasureMergeAsync(Layer lower, Layer upper, CancellationToken cancellation);

    /// <summary>
    /// The header of a layer that nobody writes to names another backing image of the same content. Undo names the first one
    /// again; probing reads the header.
    /// </summary>
    /// <param name="layer">The layer; its <see cref="Layer.Parent"/> does not count.</param>
    /// <param name="from">What it builds on.</param>
    /// <param name="to">What it is to build on.</param>
    Step Relink(Layer layer, Layer from, Layer to);

    /// <summary>Writes a text file, durable, that must not exist yet. Undo removes it.</summary>
    Step WriteFile(string path, string content);
}
