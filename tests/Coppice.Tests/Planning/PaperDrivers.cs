using System.Collections.Immutable;
using System.Text.Json;
using Coppice.Core;

namespace Coppice.Tests.Planning;

/// <summary>A hypervisor and a storage that only lower requests, so that plans can be read. They carry nothing out.</summary>
internal sealed class PaperDrivers : IHypervisor, IStorage
{
    public string Prefix => "paper";

    public Step Launch(LaunchRequest request) =>
        Step("launch", $"{request.Process} {request.Memory.Mode} {string.Join(" ", request.Disks.Select(d => d.Layers[0].Path))}");

    public Step TakeSpare(ShortId process) => Step("take-spare", $"{process}");

    public bool IsWaiting(DomainFolder folder, ShortId process) => throw Paper();

    public ByteCount WaitingMemory(LaunchRequest request) => new(1);

    public ImmutableArray<string> FirmwareFiles() => throw Paper();

    public string TpmFile(DomainFolder folder, ShortId state) => throw Paper();

    public Step CreateTpm(DomainFolder folder, ShortId state) => Step("create-tpm", $"{state}");

    public Step CopyTpm(DomainFolder folder, TpmCopy copy) => Step("copy-tpm", $"{copy.From} to {copy.To}");

    public Step RemoveTpm(DomainFolder folder, ShortId state) => Step("remove-tpm", $"{state}");

    public Step Checkpoint(CheckpointRequest request, DomainDefinition? quiesced = null) =>
        Step("checkpoint", $"{(quiesced is null ? "" : "quiesced ")}{request.Process} {request.Memory.Mode} {string.Join(" ", request.Disks.Select(d => d.Target))}{(request.TpmCopy is { } tpm ? $" TPM {tpm.From} to {tpm.To}" : "")}");

    public Step Leave(LeaveRequest request) => Step("leave", $"{request.Process} {request.Memory.Mode} {request.Successor}");

    public Step TakeOver(ShortId process, DomainDefinition definition, bool run) => Step("take-over", $"{process} {(run ? "run" : "stand")}");

    public Step SetGuestTime(ShortId process, DomainDefinition definition) => Step("set-guest-time", $"{process}");

    public Step End(ShortId process, DomainDefinition? successor = null) => Step("end", $"{process}");

    public Step SetLink(ShortId process, int card, bool isUp) => Step("set-link", $"{card} {isUp}");

    public Step Signal(ShortId process, DomainSignal signal) => Step("signal", $"{signal}");

    public Step CreateOverlay(Layer overlay, Layer backing) => Step("overlay", overlay.Path) with
    {
        Undo = StepUndo.UnlessSwitched,
        Files = [new FileChange(FileEffect.Create, overlay.Path, default)],
    };

    public Step CreateImage(Layer image) => Step("image", image.Path) with
    {
        Undo = StepUndo.UnlessSwitched,
        Files = [new FileChange(FileEffect.Create, image.Path, default)],
    };

    public Step AdoptOverlay(Layer overlay, ImmutableArray<Layer> below) => Step("adopt", $"{overlay.Path} on {below[0].Path}");

    public Step CopyInternal(Layer copy, Layer snapshot, Layer? parent, ByteCount estimate) =>
        Step("copy", $"{snapshot.Inside!.Tag} to {copy.Path}") with { Undo = StepUndo.UnlessSwitched };

    public Step Link(string file, string name) => Step("link", $"{file} as {name}");

    public Step CopyMemory(MemoryImage memory, Layer? holder, string path, ByteCount estimate) => Step("copy-memory", path);

    public Task<SharedPlace> FindPlaceAsync(DomainFolder folder, Layer layer, CancellationToken cancellation) => throw Paper();

    public Task<PlaceObservation> ObservePlaceAsync(string folder, CancellationToken cancellation) => throw Paper();

    public Step MakeFolder(string folder) => throw Paper();

    public Step CopyFile(FileToCopy file) => throw Paper();

    public Step CopyImage(ImageToCopy image) => throw Paper();

    public Step SealFolder(string folder) => throw Paper();

    public Step PublishFolder(string folder, string name) => throw Paper();

    public Task<byte[]> ReadPlainAsync(string folder, string name, int maximum, CancellationToken cancellation) => throw Paper();

    public Task<bool> CanLinkAsync(string file, string folder, CancellationToken cancellation) => throw Paper();

    public Step CreateInternal(Layer snapshot) => Step("create-inside", $"{snapshot.Inside!.Tag} in {snapshot.Path}");

    public Step ExpectInternal(Layer snapshot) => Step("expect-inside", $"{snapshot.Inside!.Tag} in {snapshot.Path}");

    public Step RemoveInternal(Layer snapshot) => Step("remove-inside", $"{snapshot.Inside!.Tag} in {snapshot.Path}");

    public Task<GuestTrial> TryGuestAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, bool boots, TimeSpan patience, CancellationToken cancellation) =>
        throw new NotSupportedException();

    public Step RemoveInternal(ShortId process, Layer snapshot) => Step("remove-inside-live", $"{snapshot.Inside!.Tag} in {snapshot.Path}");

    public Step Resize(ShortId process, Layer layer, ByteCount size) => Step("resize-live", $"{layer.Disk} to {size}");

    public (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        (Step("open", disk.Layers[0].Path), Step("plug", disk.Target));

    public (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        (Step("unplug", disk.Target), Step("close", disk.Target));

    public string? WhyFixed(DomainDefinition definition, NetworkDevice card) => null;

    public (Step Switch, Step CleanUp) RenewCard(ShortId process, DomainDefinition definition, int card) =>
        (Step("unplug-card", $"{card}"), Step("plug-card", $"{card}"));

    public Step Resize(Layer layer, ByteCount size) => Step("resize", $"{layer.Disk} to {size}");

    public Step Remove(string path, ByteCount bytes) => Step("remove", path) with
    {
        Files = [new FileChange(FileEffect.Delete, path, bytes)],
    };

    public Step RemoveUnwritten(Layer overlay) => Remove(overlay.Path, default);

    public Step CreateVariables(Layer variables, string template) => Step("create-variables", variables.Path);

    public Step RepairLeaks(Layer image) => Step("repair-leaks", image.Path);

    public Step WriteFile(string path, string content) => Step("write", path);

    public Step BeginMerge(ShortId process, MergeRequest merge, bool guestless) =>
        Step("begin-merge", $"{process} {merge.Job}{(guestless ? " without guest" : "")}");

    public Step HaltMerge(ShortId process, ShortId job, bool guestless) => Step("halt-merge", $"{process} {job}");

    public Step BeginMirror(ShortId process, MirrorRequest mirror) => Step("begin-mirror", $"{process} {mirror.Job} {mirror.Kind} {mirror.Target.Path}");

    public (Step Switch, Step CleanUp) EndMirror(ShortId process, MirrorRequest mirror, MirrorEnd end) =>
        (Step("end-mirror", $"{process} {mirror.Job} {end}"), Step("let-go-of-mirror", $"{process} {mirror.Job}"));

    public Step DiscardMirror(ShortId process, MirrorRequest mirror) => Step("discard-mirror", $"{process} {mirror.Job}");

    public Step FinishMerge(ShortId process, MergeRequest merge) => Step("finish-merge", $"{process} {merge.Job}");

    public Step Relink(Layer layer, Layer from, Layer to) => Step("relink", $"{layer.Path} to {to.Path}");

    public Task<MergeObservation> ObserveMergeAsync(
        DomainFolder folder, ShortId process, ShortId job, CancellationToken cancellation) => throw Paper();

    public Task<MergeCost> MeasureMergeAsync(Layer lower, Layer upper, CancellationToken cancellation) => throw Paper();

    public Task<CapabilitySet> CapabilitiesAsync(CancellationToken cancellation) => throw Paper();

    public Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation) => throw Paper();

    public Task<HypervisorObservation> ObserveAsync(
        DomainFolder folder, ShortId? process, DomainDefinition definition, ImmutableArray<Layer> written, CancellationToken cancellation) => throw Paper();

    public int? ProcessId(DomainFolder folder, ShortId process) => throw Paper();

    public Task<HypervisorDescription> DescribeAsync(CancellationToken cancellation) => throw Paper();

    public Task<GuestFigures?> MeasureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, CancellationToken cancellation) => throw Paper();

    public Task TakePictureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, int screen, string path, CancellationToken cancellation) => throw Paper();

    public IAsyncEnumerable<GuestEvent> WatchAsync(DomainFolder folder, ShortId process, CancellationToken cancellation) => throw Paper();

    public bool HasEnded(DomainFolder folder, ShortId process) => throw Paper();

    public ImmutableArray<ProcessObservation> Processes(HomeFolder home) => throw Paper();

    public Task<ImmutableDictionary<string, FileObservation>> ListAsync(
        DomainFolder folder, ImmutableArray<Layer> layers, CancellationToken cancellation) => throw Paper();

    public Task SettleVolumeAsync(HomeFolder home, CancellationToken cancellation) => throw Paper();

    public Task<MemoryVolume?> ObserveVolumeAsync(HomeFolder home, CancellationToken cancellation) => throw Paper();

    public Task MakeVolumeAsync(HomeFolder home, NewMemoryVolume volume, CancellationToken cancellation) => throw Paper();

    public Step ClaimRoom(RoomClaim claim) => throw Paper();

    public Task MountVolumeAsync(HomeFolder home, CancellationToken cancellation) => throw Paper();

    public Task RemoveVolumeAsync(HomeFolder home, CancellationToken cancellation) => throw Paper();

    public Task<DiskDifference> CompareAsync(
        ImmutableArray<Layer> one, ImmutableArray<Layer> other, CancellationToken cancellation) => throw Paper();

    public Task<string> DigestAsync(Layer layer, CancellationToken cancellation) => throw Paper();

    public Task<string> DigestFileAsync(string path, CancellationToken cancellation) => throw Paper();

    public Task<ImageHealth> ExamineAsync(Layer image, CancellationToken cancellation) => throw Paper();

    public Task<ImmutableArray<Layer>> DiscoverAsync(DiskDevice disk, CancellationToken cancellation) => throw Paper();

    public Task CheckAsync(ImmutableArray<Layer> chain, CancellationToken cancellation) => throw Paper();

    public Task<LayerObservation> ObserveAsync(DomainFolder folder, Layer layer, CancellationToken cancellation) => throw Paper();

    public Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation) => throw Paper();

    public Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation) => throw Paper();

    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation) => throw Paper();

    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation) => throw Paper();

    private static Step Step(string kind, string what) => new()
    {
        Kind = $"paper.{kind}",
        Summary = $"{kind} {what}",
        Undo = StepUndo.Exact,
        Arguments = JsonDocument.Parse("{}").RootElement,
    };

    private static InvalidOperationException Paper() => new("a paper driver carries nothing out");
}
