using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>
/// A hypervisor. It observes, it seals definitions, it lowers requests that have been resolved into steps, and as an
/// <see cref="IStepExecutor"/> it carries these steps out. Lowering is pure.
/// </summary>
public interface IHypervisor : IStepExecutor
{
    /// <summary>What it can do. Read once, from the hypervisor itself.</summary>
    /// <exception cref="CoppiceException">It is not installed or does not answer
    /// (<see cref="ErrorKind.Hypervisor"/>).</exception>
    Task<CapabilitySet> CapabilitiesAsync(CancellationToken cancellation);

    /// <summary>What a definition can ask of it on this host. Read once, from the hypervisor itself.</summary>
    /// <exception cref="CoppiceException">It is not installed or does not answer (<see cref="ErrorKind.Hypervisor"/>).</exception>
    Task<HypervisorDescription> DescribeAsync(CancellationToken cancellation);

    /// <summary>
    /// Resolves what a definition leaves open and a memory image needs unchanged: versioned machine type, CPU model, an
    /// address for every device. Sealing a sealed definition changes nothing.
    /// </summary>
    /// <exception cref="CoppiceException">The definition asks for what this hypervisor has not.</exception>
    Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation);

    /// <summary>The files of the UEFI firmware that is installed on this host, code and templates, by absolute path. Reads only.</summary>
    ImmutableArray<string> FirmwareFiles();

    /// <summary>What a domain is doing. Reads only; needs no lock; never waits for a guest.</summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process that the catalog records; null if none.</param>
    /// <param name="definition">The definition in force.</param>
    /// <param name="written">
    /// The layers that its disks should be on, by the catalog. Where all are, it need not be asked for files, for which a guest on
    /// long chains would stand still: 24 ms for a chain of 30 on QEMU 7.2.
    /// </param>
    /// <param name="cancellation">Ends the waiting.</param>
    Task<HypervisorObservation> ObserveAsync(
        DomainFolder folder, ShortId? process, DomainDefinition definition, ImmutableArray<Layer> written, CancellationToken cancellation);

    /// <summary>
    /// What a guest has used so far: processors, memory, disks, networks. Reads only; needs no lock; never waits for a guest.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process.</param>
    /// <param name="definition">The definition in force.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <returns>Null if there is no such process.</returns>
    Task<GuestFigures?> MeasureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, CancellationToken cancellation);

    /// <summary>
    /// What becomes of a guest, from <see cref="GuestEventKind.Began"/> on. Ends when the process does; at once, without any event, if
    /// there is no such process, or none that tells. Reads only; needs no lock; holds up neither guest nor anybody else. While nobody
    /// watches, nothing is kept for later. A watcher that falls thousands of events behind misses the oldest.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process, with a guest or without.</param>
    /// <param name="cancellation">Ends the watching.</param>
    /// <exception cref="CoppiceException">
    /// Somebody else watches it: one at a time can (<see cref="ErrorKind.Busy"/>).
    /// </exception>
    IAsyncEnumerable<GuestEvent> WatchAsync(DomainFolder folder, ShortId process, CancellationToken cancellation);

    /// <summary>
    /// Takes a picture of a guest's screen, as it is or stands, into a new file in the format PPM that only this user may read. Needs no
    /// lock. Nothing is left of one that fails.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process.</param>
    /// <param name="definition">The definition in force.</param>
    /// <param name="screen">The screen's place among the graphics cards of the definition, from 0.</param>
    /// <param name="path">The absolute path of the file, which must not exist.</param>
    /// <param name="cancellation">Ends the waiting for the process; a picture that has been begun is finished.</param>
    /// <exception cref="CoppiceException">
    /// There is no such screen (<see cref="ErrorKind.NotFound"/>) or process (<see cref="ErrorKind.WrongState"/>), or the file cannot
    /// be made (<see cref="ErrorKind.Storage"/>).
    /// </exception>
    Task TakePictureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, int screen, string path, CancellationToken cancellation);

    /// <summary>
    /// Whether it is certain that a process was started and has ended, for whoever destroys what it ran. Reads only, asks no
    /// process and never waits. False in doubt, also of a process that has left nothing to tell by: one that
    /// <see cref="ObserveAsync"/> calls off may only be out of sight.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process that the catalog records.</param>
    bool HasEnded(DomainFolder folder, ShortId process);

    /// <summary>
    /// The number of a process on this host, by which the host's tools know it; null if it does not run. Reads only, asks no process and
    /// never waits.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process that the catalog records.</param>
    int? ProcessId(DomainFolder folder, ShortId process);

    /// <summary>
    /// The processes that were started below a home and have left a trace, whether any catalog names them or not. Reads only,
    /// asks no process and never waits.
    /// </summary>
    ImmutableArray<ProcessObservation> Processes(HomeFolder home);

    /// <summary>
    /// A process that stands still before its first or next instruction, under sockets of its own. Undo ends it. A bridge or tap
    /// device that is missing, taken or forbidden is refused by name before it starts.
    /// </summary>
    /// <exception cref="CoppiceException">
    /// The definition has a device this driver does not know (<see cref="ErrorKind.MissingCapability"/>), naming it; or a TPM,
    /// and the request nothing that it keeps (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    Step Launch(LaunchRequest request);

    /// <summary>
    /// Takes a spare: from now on it does not end by itself. Prepare. Undo ends it, as its time may be over by then.
    /// </summary>
    /// <param name="process">A process that was launched to wait.</param>
    Step TakeSpare(ShortId process);

    /// <summary>Whether a spare still waits. Reads only, asks no process and never waits.</summary>
    bool IsWaiting(DomainFolder folder, ShortId process);

    /// <summary>About how much of the host's memory a spare takes, beside what lies on a memory volume.</summary>
    ByteCount WaitingMemory(LaunchRequest request);

    /// <summary>The one file in which a TPM of a domain keeps all that it keeps.</summary>
    string TpmFile(DomainFolder folder, ShortId state);

    /// <summary>A TPM as its maker delivers it. Undo removes it.</summary>
    Step CreateTpm(DomainFolder folder, ShortId state);

    /// <summary>Copies what a TPM keeps that no process uses. Undo removes the copy.</summary>
    Step CopyTpm(DomainFolder folder, TpmCopy copy);

    /// <summary>Removes what a TPM keeps that nothing reaches any more. Clean-up; also for one that is gone already.</summary>
    Step RemoveTpm(DomainFolder folder, ShortId state);

    /// <summary>
    /// The one pause of a snapshot: stop, move or mark the disks, keep the memory, go on as before. A guard resumes the guest if
    /// the caller dies meanwhile. Probing asks the process; a dead process counts as moved, because empty layers are
    /// complete before the step begins; with internal snapshots alone it counts as not done, and undo removes what there is.
    /// Undo lets the guest go on and removes the memory image and the copy of the TPM.
    /// <para>
    /// The agent in a guest that is to be quiesced freezes its file systems just before the pause and thaws them right after
    /// it. If it cannot, or they did not stay frozen that long, the step fails. Undo has them thawed; if the caller dies, or
    /// takes too long, the guard does.
    /// </para>
    /// </summary>
    /// <param name="request">What is kept.</param>
    /// <param name="quiesced">The definition of a guest that is to be quiesced; null to leave its file systems alone.</param>
    /// <exception cref="CoppiceException">
    /// There is no channel to its agent (<see cref="ErrorKind.MissingCapability"/>), or it does not run
    /// (<see cref="ErrorKind.WrongState"/>).
    /// </exception>
    Step Checkpoint(CheckpointRequest request, DomainDefinition? quiesced = null);

    /// <summary>
    /// Stops a process, keeping its memory if asked. Undo lets it go on. If the caller dies, a guard resumes the successor
    /// if the catalog's root names this operation as committed, else the process that was left.
    /// </summary>
    Step Leave(LeaveRequest request);

    /// <summary>
    /// Makes a process the one behind the domain's consoles, ports, tap devices and screen, and lets it run if asked. Clean-up.
    /// </summary>
    Step TakeOver(ShortId process, DomainDefinition definition, bool run);

    /// <summary>
    /// Asks the agent in a guest that runs to set its clock to what the host's says when the step is carried out. Clean-up. A
    /// guest that cannot be asked, or does not obey in a few seconds, is a warning and no failure; nothing is done if the
    /// process is gone.
    /// </summary>
    /// <exception cref="CoppiceException">
    /// The definition has no channel to an agent (<see cref="ErrorKind.MissingCapability"/>).
    /// </exception>
    Step SetGuestTime(ShortId process, DomainDefinition definition);

    /// <summary>Ends a process at once and removes its sockets. Clean-up; also for one that is gone already.</summary>
    /// <param name="process">The process.</param>
    /// <param name="successor">
    /// The definition under which another takes over next: what leads to the process from paths that this one names too is
    /// left to be replaced. Null if none does.
    /// </param>
    Step End(ShortId process, DomainDefinition? successor = null);

    /// <summary>
    /// Removes an internal snapshot from an image that a process writes to. Clean-up; also for one that is gone already, or
    /// if the process is.
    /// </summary>
    Step RemoveInternal(ShortId process, Layer snapshot);

    /// <summary>
    /// Makes a disk larger while a process writes to its image. A guest sees it at once on virtio, at its next boot on IDE and
    /// SATA. It cannot be taken back; probing tells by the size of the image.
    /// </summary>
    Step Resize(ShortId process, Layer layer, ByteCount size);

    /// <summary>
    /// Plugs a disk into a process. Prepare opens its images, and its undo closes them. The switch shows the disk to the guest;
    /// it cannot be taken back, since the guest may use the disk at once. Of a process that has died it counts as done if Coppice
    /// made the top layer: its guest may have written there, and undoing would lose it.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="definition">The sealed definition that has the disk.</param>
    /// <param name="disk">The disk.</param>
    /// <exception cref="CoppiceException">
    /// It sits where nothing can be plugged in while a guest runs (<see cref="ErrorKind.MissingCapability"/>).
    /// </exception>
    (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain disk);

    /// <summary>
    /// Takes a disk out of a process. The switch asks the guest to let go of it, and waits; a guest that does not, or not in
    /// time, keeps it. Clean-up closes the images; also if they are closed already, or the process is gone.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="definition">The sealed definition that has the disk.</param>
    /// <param name="disk">The disk.</param>
    /// <exception cref="CoppiceException">
    /// It sits where nothing can be taken out while a guest runs (<see cref="ErrorKind.MissingCapability"/>).
    /// </exception>
    (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain disk);

    /// <summary>Why a network card cannot be taken out or plugged in while the guest runs; null if it can.</summary>
    /// <param name="definition">The sealed definition that has the card.</param>
    /// <param name="card">The card.</param>
    string? WhyFixed(DomainDefinition definition, NetworkDevice card);

    /// <summary>
    /// Replaces a network card of a process. The switch asks the guest to let go of the one that is there, and waits; a guest
    /// that does not, or not in time, keeps it. Clean-up plugs in the new one, its cable as the definition says; also if it is
    /// there already, or the process is gone. What the card is connected to stays.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="definition">The sealed definition with the new card.</param>
    /// <param name="card">The card's place among those of the definition, from 0.</param>
    (Step Switch, Step CleanUp) RenewCard(ShortId process, DomainDefinition definition, int card);

    /// <summary>
    /// How far a merge has come. Reads only; needs no lock. Gone if there is no such process, or no such job in it.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process that the catalog records for the job.</param>
    /// <param name="job">The job.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    Task<MergeObservation> ObserveMergeAsync(DomainFolder folder, ShortId process, ShortId job, CancellationToken cancellation);

    /// <summary>
    /// Begins a merge in a process and does not wait for it. Clean-up: it does nothing if the job is there already, or if the
    /// process is gone and not to be started. A job that failed is begun anew. One that cannot be begun is a warning and no
    /// failure: it is not tried again by itself. When all is copied the job waits for <see cref="FinishMerge"/>; until then
    /// neither a header nor what anybody reads from a layer has changed.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="merge">What is merged.</param>
    /// <param name="guestless">
    /// Whether the process has no guest: it is started first, with the images of the chain and nothing else, if it does not run.
    /// </param>
    Step BeginMerge(ShortId process, MergeRequest merge, bool guestless);

    /// <summary>
    /// Cancels a merge and waits until it has let go of its images. The layers read as before. Prepare or clean-up; also for one
    /// that is gone. Undo does nothing: whoever comes next begins it again.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="job">The job.</param>
    /// <param name="guestless">Whether the process has no guest: it is ended.</param>
    Step HaltMerge(ShortId process, ShortId job, bool guestless);

    /// <summary>
    /// Finishes a merge that is ready: what built on the upper layer builds on the lower one after a commit, the upper one on
    /// what the lower one built on after a stream, in the process and in the header. It cannot be taken back. Probing asks the
    /// process, or the headers if it is gone. Fails, with nothing changed, if the job is not ready.
    /// </summary>
    Step FinishMerge(ShortId process, MergeRequest merge);

    /// <summary>
    /// Begins to copy a disk into an image that exists, while its guest goes on; <see cref="ObserveMergeAsync"/> tells how far it is. From
    /// <see cref="MergeState.Ready"/> on the copy follows the guest until it is ended. It cannot be taken back, only ended. Probing asks the
    /// process; one that is gone may have begun.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="mirror">What is copied where.</param>
    Step BeginMirror(ShortId process, MirrorRequest mirror);

    /// <summary>
    /// Ends it, by <see cref="MirrorEnd.Pivot"/> or <see cref="MirrorEnd.Keep"/>. The switch fails unless it is ready and nothing much is left to copy;
    /// it cannot be taken back. If it fails later than that, the copy is given up and the guest stays where it is. Probing asks the process, and
    /// brings to its end what was told to end; if the process is gone, also if it was ended since, a note beside the domain tells. Clean-up closes
    /// what the guest has left, and removes that note; also if the process is gone.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="mirror">What is copied where.</param>
    /// <param name="end">How it ends.</param>
    (Step Switch, Step CleanUp) EndMirror(ShortId process, MirrorRequest mirror, MirrorEnd end);

    /// <summary>
    /// Gives it up, and lets go of the other image. Prepare or clean-up; also for one that is gone already. Undo does nothing.
    /// </summary>
    /// <param name="process">The process.</param>
    /// <param name="mirror">What is copied where.</param>
    Step DiscardMirror(ShortId process, MirrorRequest mirror);

    /// <summary>
    /// Lets a guest that stands still go on, and watches whether it comes up: until its agent answers, or something says that it
    /// has failed, or the time is over. Not a step: what it is done to is thrown away.
    /// </summary>
    /// <param name="folder">The domain's folder.</param>
    /// <param name="process">The process.</param>
    /// <param name="definition">The sealed definition.</param>
    /// <param name="boots">Whether it boots, rather than goes on from memory.</param>
    /// <param name="patience">How long to watch.</param>
    /// <param name="cancellation">Ends the watching.</param>
    Task<GuestTrial> TryGuestAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, bool boots, TimeSpan patience, CancellationToken cancellation);

    /// <summary>Plugs the cable of a network card in or pulls it; a guest notices. Undo does the opposite.</summary>
    /// <param name="process">The process.</param>
    /// <param name="card">The card's place among those of the definition, from 0.</param>
    /// <param name="isUp">Whether it is plugged in afterwards.</param>
    Step SetLink(ShortId process, int card, bool isUp);

    /// <summary>Sends a plain command. Pause and resume undo each other; the others cannot be undone.</summary>
    Step Signal(ShortId process, DomainSignal signal);
}
