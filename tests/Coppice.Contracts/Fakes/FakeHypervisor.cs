using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// Runs virtual machines on a <see cref="FakeHost"/>, and refuses what QEMU refuses: an image that another process writes,
/// a memory image that is missing or cut off, a command to a process that is gone.
/// </summary>
public sealed class FakeHypervisor(FakeHost host) : IHypervisor
{
    private const string ResizeKind = "machine.resize";
    private const long WaitingBytes = 1 << 20;

    private readonly FakeLaunches _launches = new(host);
    private readonly FakeCheckpoints _checkpoints = new(host);
    private readonly FakeSignals _signals = new(host);
    private readonly FakeTpm _tpm = new(host);
    private readonly FakeHotPlug _hotPlug = new(host);
    private readonly FakeCards _cards = new(host);
    private readonly FakeMerges _merges = new(host);
    private readonly FakeMirrors _mirrors = new(host);

    public string Prefix => "machine";

    public Task<CapabilitySet> CapabilitiesAsync(CancellationToken cancellation) => Task.FromResult(new CapabilitySet(
        "fake", "1",
        [
            Capability.OfflineExternalDisk, Capability.OnlineExternalDiskOnly, Capability.ExternalMemory,
            Capability.LiveMemory, Capability.MixedDisks, Capability.OfflineInternalDisk, Capability.OnlineInternalDiskOnly,
            Capability.InternalMemory, Capability.ExternalMemoryInternalDisk, Capability.InternalMemoryExternalDisk,
            Capability.ManualDisk, Capability.SavedDomain, Capability.OnlineResize, Capability.HotPlug, Capability.GuestTime,
            Capability.Quiesce, Capability.SharedMemoryImage, Capability.MirrorDisk,
            .. host.CanMerge ? [Capability.MergeLayers] : Array.Empty<Capability>(),
        ]));

    public Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation) => Task.FromResult(definition);

    public ImmutableArray<string> FirmwareFiles() => ["/fw/code.fd", "/images/vars-template.fd"];

    public Task<HypervisorObservation> ObserveAsync(
        DomainFolder folder, ShortId? process, DomainDefinition definition, ImmutableArray<Layer> written, CancellationToken cancellation)
    {
        if (process is null || !host.ProcessesAreVisible || !host.State.Processes.TryGetValue(process.Value, out var found))
        {
            return Task.FromResult(HypervisorObservation.Off);
        }

        host.Asked?.Invoke();
        return !host.ProcessesAnswer
            ? Task.FromException<HypervisorObservation>(new CoppiceException(ErrorKind.Hypervisor, $"process {process}", "does not answer"))
            : Task.FromResult(new HypervisorObservation
            {
                State = found.State,
                IsAlive = true,
                Pid = FakeFigures.PidOf(process.Value),
                ActiveImages = Plugged(found).ToImmutableDictionary(d => d.Target, d => d.Path),
                Unplugged =
                [
                    .. definition.DisksAndFlash.Where(d => d.Source is not null).Select(d => d.Target)
                        .Except(Plugged(found).Select(d => d.Target)),
                ],
                GoneCards = [.. FakeCards.Of(definition).Keys.Except(found.Cards.Keys)],
                Version = "1",
                Ram = found.Ram is { IsClonable: true } ram ? ram.Path : null,
                HasRamInFile = found.Ram is not null,
                MemoryEstimate = new ByteCount(1 << 20),
            });
    }

    public Task<GuestFigures?> MeasureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, CancellationToken cancellation) =>
        Task.FromResult(host.ProcessesAreVisible ? FakeFigures.Of(host, process, definition) : null);

    public Task TakePictureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, int screen, string path, CancellationToken cancellation) =>
        Task.Run(() => FakeScreens.Draw(host, process, definition, screen, path), cancellation);

    public IAsyncEnumerable<GuestEvent> WatchAsync(DomainFolder folder, ShortId process, CancellationToken cancellation) =>
        host.Events.WatchAsync(process, host.State, cancellation);

    public Step TakeSpare(ShortId process) => FakeLaunches.TakeSpare(process);

    public bool IsWaiting(DomainFolder folder, ShortId process) => host.Find(process) is { Waits: true };

    public ByteCount WaitingMemory(LaunchRequest request) => new(WaitingBytes);

    public bool HasEnded(DomainFolder folder, ShortId process) => !host.State.Processes.ContainsKey(process);

    public int? ProcessId(DomainFolder folder, ShortId process) =>
        host.Find(process) is { Waits: false } ? Convert.ToInt32(process.Value[..6], 16) + 1 : null;

    public Task<HypervisorDescription> DescribeAsync(CancellationToken cancellation) => Task.FromResult(new HypervisorDescription
    {
        Emulator = "/usr/bin/fake",
        Version = new Version(1, 0, 0),
        Machines = ImmutableSortedDictionary<string, string>.Empty.Add("fake", "fake-1").Add("fake-1", "fake-1"),
    });

    public ImmutableArray<ProcessObservation> Processes(HomeFolder home) =>
    [
        .. host.State.Processes.Select(p => new ProcessObservation(p.Key, p.Value.Domain.ToString(), host.ProcessesAreVisible, HasEnded: false)
        {
            Waits = p.Value.Waits ? new ByteCount(WaitingBytes) : null,
        }),
        .. host.State.Merges.Values.Where(m => m.IsGuestless)
            .Select(m => new ProcessObservation(m.Process, m.Domain, host.ProcessesAreVisible, HasEnded: false)),
        .. host.Deserted.Select(d => new ProcessObservation(d.Key, d.Value.ToString(), IsAlive: false, HasEnded: true)),
    ];

    public Task<MergeObservation> ObserveMergeAsync(
        DomainFolder folder, ShortId process, ShortId job, CancellationToken cancellation)
    {
        host.Asked?.Invoke();
        return !host.ProcessesAnswer
            ? Task.FromException<MergeObservation>(new CoppiceException(ErrorKind.Hypervisor, $"process {process}", "does not answer"))
            : Task.FromResult(host.State.Mirrors.ContainsKey(job) ? _mirrors.Observe(process, job) : _merges.Observe(process, job));
    }

    public Step Launch(LaunchRequest request) => FakeLaunches.Launch(request);

    public Step TakeOver(ShortId process, DomainDefinition definition, bool run) => FakeLaunches.TakeOver(process, definition, run);

    public Step Checkpoint(CheckpointRequest request, DomainDefinition? quiesced = null) => FakeCheckpoints.Checkpoint(request, quiesced);

    public Step Leave(LeaveRequest request) => FakeCheckpoints.Leave(request);

    public Step RemoveInternal(ShortId process, Layer snapshot) => FakeCheckpoints.RemoveInternal(process, snapshot);

    public Step Signal(ShortId process, DomainSignal signal) => FakeSignals.Signal(process, signal);

    public Step End(ShortId process, DomainDefinition? successor = null) => FakeSignals.End(process);

    public Task<GuestTrial> TryGuestAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, bool boots, TimeSpan patience, CancellationToken cancellation) =>
        Task.FromResult(FakeTrial.Of(host, process));

    public Step SetLink(ShortId process, int card, bool isUp) => FakeSignals.SetLink(process, card, isUp);

    public Step SetGuestTime(ShortId process, DomainDefinition definition) => FakeSignals.SetGuestTime(process, definition);

    public string TpmFile(DomainFolder folder, ShortId state) => folder.Tpm(state);

    public Step CreateTpm(DomainFolder folder, ShortId state) => FakeTpm.Create(folder, state);

    public Step CopyTpm(DomainFolder folder, TpmCopy copy) => FakeTpm.Copy(folder, copy);

    public Step RemoveTpm(DomainFolder folder, ShortId state) => FakeTpm.Remove(folder, state);

    public (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        FakeHotPlug.Plug(process, definition, disk);

    public (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        FakeHotPlug.Unplug(process, definition, disk);

    public string? WhyFixed(DomainDefinition definition, NetworkDevice card) => FakeCards.WhyFixed(definition, card);

    public (Step Switch, Step CleanUp) RenewCard(ShortId process, DomainDefinition definition, int card) =>
        FakeCards.Renew(process, definition, card);

    public Step BeginMerge(ShortId process, MergeRequest merge, bool guestless) => FakeMerges.Begin(process, merge, guestless);

    public Step HaltMerge(ShortId process, ShortId job, bool guestless) => FakeMerges.Halt(process, job, guestless);

    public Step FinishMerge(ShortId process, MergeRequest merge) => FakeMerges.Finish(process, merge);

    public Step BeginMirror(ShortId process, MirrorRequest mirror) => FakeMirrors.Begin(process, mirror);

    public (Step Switch, Step CleanUp) EndMirror(ShortId process, MirrorRequest mirror, MirrorEnd end) =>
        (FakeMirrors.End(process, mirror, end), FakeMirrors.LetGo(process, mirror));

    public Step DiscardMirror(ShortId process, MirrorRequest mirror) => FakeMirrors.End(process, mirror, MirrorEnd.Discard);

    public Step Resize(ShortId process, Layer layer, ByteCount size) => Step.Of(
        ResizeKind, $"grow {layer?.Path}", StepUndo.None, new ResizeArguments(process, layer!, size), FakeJson.Default.ResizeArguments);

    public Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(context);
        cancellation.ThrowIfCancellationRequested();
        if (step.Kind == ResizeKind)
        {
            var resize = step.Read(FakeJson.Default.ResizeArguments);
            host.Require(resize.Process!.Value);
            host.Grow(resize);
            return Task.FromResult(StepReport.Nothing);
        }

        return Task.FromResult(_tpm.TryApply(step, context.Folder) || _hotPlug.TryApply(step) || _cards.TryApply(step)
            ? StepReport.Nothing
            : _launches.TryApply(step, context) ?? _checkpoints.TryApply(step, context, cancellation)
                ?? _merges.TryApply(step, context.Folder) ?? _mirrors.TryApply(step) ?? _signals.TryApply(step)
                ?? throw new InvalidOperationException($"{step.Kind} is no step of this hypervisor"));
    }

    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(context);
        _tpm.Undo(step, context.Folder);
        _hotPlug.Undo(step);
        _launches.Undo(step);
        _checkpoints.Undo(step, context.Folder);
        _signals.Undo(step);
        return Task.CompletedTask;
    }

    public void LetGo(ShortId operation) => host.LetGo(operation);

    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        if (_checkpoints.Probe(step) is { } outcome)
        {
            return Task.FromResult(outcome);
        }

        var done = step.Kind == ResizeKind ? host.IsGrown(step.Read(FakeJson.Default.ResizeArguments))
            : _launches.Probe(step) ?? _signals.Probe(step) ?? _hotPlug.Probe(step) ?? _cards.Probe(step) ?? _merges.Probe(step) ?? _mirrors.Probe(step);
        return Task.FromResult(done switch { true => StepOutcome.Done, false => StepOutcome.NotDone, null => StepOutcome.Unknown });
    }

    private static IEnumerable<FakeDrive> Plugged(FakeProcess process) =>
        process.Drives.Where(d => d.IsPlugged && d.Target != FakeTpm.Target);
}
