using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Probing;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Coppice.Qemu.Steps;
using Coppice.Qemu.Tpm;

namespace Coppice.Qemu;

/// <summary>
/// The built-in hypervisor: one QEMU process a domain, started by a command and independent of it. Lowering is here; each
/// kind of step is carried out by a class of its own.
/// </summary>
public sealed class QemuHypervisor : IHypervisor
{
    private const string LaunchKind = "qemu.launch", CheckpointKind = "qemu.checkpoint", LeaveKind = "qemu.leave",
        TakeOverKind = "qemu.take-over", EndKind = "qemu.end", SignalKind = "qemu.signal", RemoveInternalKind = "qemu.remove-internal",
        ResizeKind = "qemu.resize", LinkKind = "qemu.set-link", GuestTimeKind = "qemu.set-guest-time";

    private static readonly TimeSpan s_switchPause = TimeSpan.FromMilliseconds(40);

    private readonly QemuOptions _options;
    private readonly QemuProgram _program;
    private readonly KvmProbe _kvm;
    private readonly Sealing _sealing;
    private readonly GuardPost _guards;
    private readonly TimeProvider _time;

    // Made only when a step is carried out: listing domains should not pay for it.
    private readonly Lazy<Dictionary<string, StepKind>> _kinds;

    /// <summary>A driver for one QEMU program.</summary>
    /// <param name="options">Which one.</param>
    /// <param name="time">The clock.</param>
    public QemuHypervisor(QemuOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _program = new QemuProgram(options, time);
        var tpm = new TpmEmulator(options.TpmEmulator, time);
        _kvm = new KvmProbe(options.Binary, time);
        _sealing = new Sealing(_program, _kvm, new FirmwareChoice(options.FirmwareFolders), tpm);
        var taps = new HostTaps(new BridgeHelper(options.BridgeHelpers, time), time);
        _guards = new GuardPost(time);
        _kinds = new(() => Kinds(_guards, tpm, taps, options.Binary, time));
    }

    /// <inheritdoc/>
    public string Prefix => "qemu";

    /// <inheritdoc/>
    public async Task<CapabilitySet> CapabilitiesAsync(CancellationToken cancellation)
    {
        var inventory = await _program.InventoryAsync(cancellation);
        return new CapabilitySet(Prefix, inventory.Version, CapabilityTable.Of(inventory));
    }

    /// <inheritdoc/>
    public Task<HypervisorDescription> DescribeAsync(CancellationToken cancellation) => _program.DescribeAsync(_kvm, cancellation);

    /// <inheritdoc/>
    public Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation) =>
        NamedAsync($"domain '{definition.Name}'", () => _sealing.SealAsync(definition, cancellation));

    /// <inheritdoc/>
    public ImmutableArray<string> FirmwareFiles() =>
        [.. FirmwareDescriptor.ReadAll(_options.FirmwareFolders).SelectMany(f => new[] { f.Code, f.Template })];

    /// <inheritdoc/>
    public Task<HypervisorObservation> ObserveAsync(
        DomainFolder folder, ShortId? process, DomainDefinition definition, ImmutableArray<Layer> written, CancellationToken cancellation) =>
        process is { } id
        ? NamedAsync("observe", () => new Observation(_time).ObserveAsync(
            RunFolder.Of(folder.Home, id), folder.Ram(id), definition, written, cancellation))
        : Task.FromResult(HypervisorObservation.Off);

    /// <inheritdoc/>
    public Task<GuestFigures?> MeasureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return NamedAsync("measure", () => new Measurement(_time).MeasureAsync(RunFolder.Of(folder.Home, process), definition, cancellation));
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<GuestEvent> WatchAsync(DomainFolder folder, ShortId process, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return new EventWatch(_time).WatchAsync(RunFolder.Of(folder.Home, process), cancellation);
    }

    /// <inheritdoc/>
    public Task TakePictureAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, int screen, string path, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return NamedAsync("take picture", async () =>
        {
            await new ScreenPicture(_time).TakeAsync(RunFolder.Of(folder.Home, process), definition, screen, path, cancellation);
            return true;
        });
    }

    /// <inheritdoc/>
    public bool HasEnded(DomainFolder folder, ShortId process)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return new RunProcess(RunFolder.Of(folder.Home, process), ProcessFiles.Qemu, _time).HasEnded;
    }

    /// <inheritdoc/>
    public int? ProcessId(DomainFolder folder, ShortId process)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return new RunProcess(RunFolder.Of(folder.Home, process), ProcessFiles.Qemu, _time).Pid;
    }

    /// <inheritdoc/>
    public ImmutableArray<ProcessObservation> Processes(HomeFolder home) => RunFolders.Processes(home, _time);

    /// <inheritdoc/>
    public Step Launch(LaunchRequest request)
    {
        Refusals.RequireKnown(request);
        var images = request.Disks.SelectMany(d => d.Layers)
            .DistinctBy(l => l.Id).ToImmutableDictionary(l => l.Id.ToString(), l => l.Path);
        var launch = new LaunchArguments(
            request.Process, request.Definition.Name, request.Definition.Emulator ?? _options.Binary, QemuCommandLine.Of(request),
            request.Ram is { } ram ? new RamFileArguments(ram.Path, request.Definition.Memory.Bytes, ram.IsImage) : null,
            request.Memory, request.MemoryHolder, images, request.Definition.DisksAndFlash.ToImmutableDictionary(d => d.Target, DriveMode.Of),
            request.Tpm, request.Predecessor, request.Definition.Os.IsMicrovm ? request.Memory.WrittenBy : null,
            request.Waits is null ? [.. TapPlug.Of(request.Definition)] : [], request.Beside, DeviceArguments.Cables(request.Definition),
            request.Waits is { } wait ? new WaitArguments(wait.TotalSeconds, WaitingMemory(request).Bytes) : null);
        var loading = request switch
        {
            { Memory.File: { } file } => $" and load {file}",
            { MemoryHolder: { } holder } => $" and load the memory of {holder.Inside!.Tag} in {holder.Path}",
            _ => "",
        };
        return Step.Of(
            LaunchKind, $"start process {request.Process} for '{request.Definition.Name}'{loading}, standing still",
            StepUndo.Exact, launch, StepJson.Default.LaunchArguments) with
        {
            Files = request.Ram is null or { IsImage: true } ? [] : [new FileChange(FileEffect.Create, request.Ram.Path, default)],
        };
    }

    /// <inheritdoc/>
    public Step TakeSpare(ShortId process) => SpareSteps.Take(process);

    /// <inheritdoc/>
    public bool IsWaiting(DomainFolder folder, ShortId process)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var run = RunFolder.Of(folder.Home, process);
        return File.Exists(run.Waiting) && new RunProcess(run, ProcessFiles.Qemu, _time).Pid is not null;
    }

    /// <inheritdoc/>
    public ByteCount WaitingMemory(LaunchRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var ram = request.Ram is { IsClonable: true } ? 0 : request.Definition.Memory.Bytes;
        return new ByteCount(SpareSteps.Overhead.Bytes + ram);
    }

    /// <inheritdoc/>
    public string TpmFile(DomainFolder folder, ShortId state) => TpmState.Of(folder, state).StateFile;

    /// <inheritdoc/>
    public Step CreateTpm(DomainFolder folder, ShortId state) => TpmSteps.Create(folder, state);

    /// <inheritdoc/>
    public Step CopyTpm(DomainFolder folder, TpmCopy copy) => TpmSteps.Copy(folder, copy);

    /// <inheritdoc/>
    public Step RemoveTpm(DomainFolder folder, ShortId state) => TpmSteps.Remove(folder, state);

    /// <inheritdoc/>
    public Step Checkpoint(CheckpointRequest request, DomainDefinition? quiesced = null)
    {
        var agent = quiesced is null ? null : Endpoints.OfAgent(quiesced);
        Refusals.RequireQuiescable(request, quiesced);
        var kept = request.Memory.Mode is not MemoryMode.None;
        Refusals.RequireSavable(request.State, kept);
        Refusals.RequireFile(request.Memory);
        Refusals.RequireRunsOn(request);
        string[] parts =
        [
            .. kept ? [$"save memory{(request.Memory.Disk is { } disk ? $" in {disk}" : "")}"] : Array.Empty<string>(),
            .. request.Disks.IsEmpty ? [] : new[] { $"move {string.Join(", ", request.Disks.Select(d => d.Target))}" },
            .. request.Internals.IsEmpty ? [] : new[] { $"snapshot {string.Join(", ", request.Internals.Select(d => d.Disk))} inside" },
            .. request.TpmCopy is null ? [] : new[] { "copy TPM" },
            .. request.StaysPaused ? ["stay paused"] : Array.Empty<string>(),
        ];
        var summary = $"{(agent is null ? "" : "with the guest's file systems frozen, ")}pause: {string.Join(", ", parts)}";
        return Step.Of(
            CheckpointKind, summary, StepUndo.UnlessSwitched, new CheckpointArguments(request, agent),
            StepJson.Default.CheckpointArguments) with
        {
            Files =
            [
                .. MemoryCost.Files(request.Memory, request.MemoryEstimate),
                .. request.Internals.Select(l => new FileChange(
                    FileEffect.Change, l.Path, l.Id == request.Memory.Layer ? request.MemoryEstimate : default)),
            ],
            ExpectedPause = s_switchPause + (request.RunsOn
                ? MemoryCost.PauseInBackground(request.MemoryEstimate)
                : MemoryCost.Pause(request.Memory, request.MemoryEstimate, request.RamExtents)),
        };
    }

    /// <inheritdoc/>
    public Step Leave(LeaveRequest request)
    {
        var kept = request.Memory.Mode is not MemoryMode.None;
        Refusals.RequireSavable(request.State, kept);
        Refusals.RequireFile(request.Memory);
        return Step.Of(
            LeaveKind, kept ? $"stop process {request.Process}, keeping its memory" : $"stop process {request.Process}",
            StepUndo.Exact, request, StepJson.Default.LeaveRequest) with
        {
            Files = MemoryCost.Files(request.Memory, request.MemoryEstimate),
            ExpectedPause = s_switchPause + MemoryCost.Pause(request.Memory, request.MemoryEstimate, request.RamExtents),
        };
    }

    /// <inheritdoc/>
    public Step TakeOver(ShortId process, DomainDefinition definition, bool run)
    {
        var takeOver = new TakeOverArguments(
            process, run, Endpoints.Links(definition), [.. HostForward.Of(definition)], [.. ScreenAddress.Of(definition)],
            [.. TapPlug.Of(definition)]);
        var summary = run ? $"let process {process} run as the domain" : $"make process {process} the domain, paused";
        return Step.Of(TakeOverKind, summary, StepUndo.None, takeOver, StepJson.Default.TakeOverArguments);
    }

    /// <inheritdoc/>
    public Step SetGuestTime(ShortId process, DomainDefinition definition) => Step.Of(
        GuestTimeKind, $"have the agent in the guest of process {process} set its clock", StepUndo.None,
        new GuestTimeArguments(process, Endpoints.OfAgent(definition)), StepJson.Default.GuestTimeArguments);

    /// <inheritdoc/>
    public Step End(ShortId process, DomainDefinition? successor = null)
    {
        var replaced = successor is null ? [] : Endpoints.Links(successor).Keys.Where(Path.IsPathRooted);
        return Step.Of(
            EndKind, $"end process {process}", StepUndo.None, new EndArguments(process, [.. replaced]),
            StepJson.Default.EndArguments);
    }

    /// <inheritdoc/>
    public Step RemoveInternal(ShortId process, Layer snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return Step.Of(
            RemoveInternalKind, $"remove {snapshot.Inside!.Tag} from {snapshot.Path}", StepUndo.None,
            new RemoveInternalArguments(process, snapshot), StepJson.Default.RemoveInternalArguments) with
        {
            Files = [new FileChange(FileEffect.Change, snapshot.Path, default)],
        };
    }

    /// <inheritdoc/>
    public Step Resize(ShortId process, Layer layer, ByteCount size)
    {
        ArgumentNullException.ThrowIfNull(layer);
        return Step.Of(
            ResizeKind, $"grow {layer.Path} to {size}", StepUndo.None, new ResizeArguments(process, layer, size),
            StepJson.Default.ResizeArguments) with
        {
            Files = [new FileChange(FileEffect.Change, layer.Path, default)],
        };
    }

    /// <inheritdoc/>
    public (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        HotPlugSteps.Plug(process, definition, disk);

    /// <inheritdoc/>
    public (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        HotPlugSteps.Unplug(process, definition, disk);

    /// <inheritdoc/>
    public string? WhyFixed(DomainDefinition definition, NetworkDevice card) => new Wiring(definition).WhySlotIsFixed(card);

    /// <inheritdoc/>
    public (Step Switch, Step CleanUp) RenewCard(ShortId process, DomainDefinition definition, int card) =>
        CardSteps.Renew(process, definition, card);

    /// <inheritdoc/>
    public Task<MergeObservation> ObserveMergeAsync(
        DomainFolder folder, ShortId process, ShortId job, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return NamedAsync($"merge {job}", () => MergeSteps.ObserveAsync(RunFolder.Of(folder.Home, process), job, _time, cancellation));
    }

    /// <inheritdoc/>
    public Step BeginMerge(ShortId process, MergeRequest merge, bool guestless) => MergeSteps.Begin(process, merge, guestless);

    /// <inheritdoc/>
    public Step HaltMerge(ShortId process, ShortId job, bool guestless) => MergeSteps.Halt(process, job, guestless);

    /// <inheritdoc/>
    public Step FinishMerge(ShortId process, MergeRequest merge) => MergeSteps.Finish(process, merge);

    /// <inheritdoc/>
    public Step BeginMirror(ShortId process, MirrorRequest mirror) => MirrorSteps.Begin(process, mirror);

    /// <inheritdoc/>
    public (Step Switch, Step CleanUp) EndMirror(ShortId process, MirrorRequest mirror, MirrorEnd end) =>
        (MirrorSteps.End(process, mirror, end), MirrorSteps.LetGo(process, mirror));

    /// <inheritdoc/>
    public Step DiscardMirror(ShortId process, MirrorRequest mirror) => MirrorSteps.Discard(process, mirror);

    /// <inheritdoc/>
    public Task<GuestTrial> TryGuestAsync(
        DomainFolder folder, ShortId process, DomainDefinition definition, bool boots, TimeSpan patience, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return new GuestWatch(_time).WatchAsync(RunFolder.Of(folder.Home, process), definition, boots, patience, cancellation);
    }

    /// <inheritdoc/>
    public Step SetLink(ShortId process, int card, bool isUp) => Step.Of(
        LinkKind, $"{(isUp ? "plug in" : "pull")} the cable of network card {card}", StepUndo.Exact,
        new CableArguments(process, DeviceArguments.NetworkCard(card), isUp), StepJson.Default.CableArguments);

    /// <inheritdoc/>
    public Step Signal(ShortId process, DomainSignal signal) => Step.Of(
        SignalKind, $"send '{SignalStep.CommandOf(signal)}' to process {process}",
        signal is DomainSignal.Pause or DomainSignal.Resume ? StepUndo.Exact : StepUndo.None,
        new SignalArguments(process, signal), StepJson.Default.SignalArguments);

    /// <inheritdoc/>
    public Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation) =>
        NamedAsync(step.Kind, () => StepKind.Of(step, _kinds.Value).ApplyAsync(step, context, cancellation));

    /// <inheritdoc/>
    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation) => NamedAsync(step.Kind, async () =>
    {
        await StepKind.Of(step, _kinds.Value).UndoAsync(step, context, cancellation);
        return true;
    });

    /// <inheritdoc/>
    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation) =>
        NamedAsync(step.Kind, () => StepKind.Of(step, _kinds.Value).ProbeAsync(step, context, cancellation));

    /// <inheritdoc/>
    public void LetGo(ShortId operation) => _guards.LetGo(operation);

    private static Dictionary<string, StepKind> Kinds(
        GuardPost guards, TpmEmulator tpm, HostTaps taps, string binary, TimeProvider time)
    {
        var json = StepJson.Default;
        var end = new EndStep(guards, tpm, time);
        var spares = new SpareSteps(end, time);
        var launch = new LaunchStep(end, spares, tpm, taps, time);
        var checkpoint = new CheckpointStep(guards, time);
        var leave = new LeaveStep(guards, time);
        var signal = new SignalStep(guards, time);
        var hotPlug = new HotPlugSteps(time);
        var merge = new MergeSteps(new GuestlessProcess(binary, end, time), time);
        var mirror = new MirrorSteps(time);
        var cable = new CableStep(time);
        var card = new CardSteps(time);
        return new Dictionary<string, StepKind>
        {
            [LaunchKind] = new StepKind<LaunchArguments>(
                json.LaunchArguments, launch.ApplyAsync, launch.UndoAsync, launch.ProbeAsync),
            [SpareSteps.TakeKind] = spares.TakeStep,
            [TpmSteps.CreateKind] = new TpmSteps(tpm).CreateStep,
            [TpmSteps.CopyKind] = TpmSteps.CopyStep,
            [TpmSteps.RemoveKind] = TpmSteps.RemoveStep,
            [CheckpointKind] = new StepKind<CheckpointArguments>(
                json.CheckpointArguments, checkpoint.ApplyAsync, checkpoint.UndoAsync, checkpoint.ProbeAsync),
            [LeaveKind] = new StepKind<LeaveRequest>(json.LeaveRequest, leave.ApplyAsync, leave.UndoAsync, leave.ProbeAsync),
            [TakeOverKind] = new StepKind<TakeOverArguments>(
                json.TakeOverArguments, new TakeOverStep(guards, taps, time).ApplyAsync, Undo: null, Probe: null),
            [GuestTimeKind] = new StepKind<GuestTimeArguments>(
                json.GuestTimeArguments, new GuestTimeStep(time).ApplyAsync, Undo: null, Probe: null),
            [EndKind] = new StepKind<EndArguments>(json.EndArguments, end.ApplyAsync, Undo: null, EndStep.ProbeAsync),
            [RemoveInternalKind] = new StepKind<RemoveInternalArguments>(
                json.RemoveInternalArguments, new RemoveInternalStep(time).ApplyAsync, Undo: null, Probe: null),
            [ResizeKind] = new StepKind<ResizeArguments>(
                json.ResizeArguments, new ResizeStep(time).ApplyAsync, Undo: null, ResizeStep.ProbeAsync),
            [HotPlugSteps.OpenKind] = hotPlug.Open,
            [HotPlugSteps.CloseKind] = hotPlug.Close,
            [HotPlugSteps.PlugKind] = hotPlug.PlugIn,
            [HotPlugSteps.UnplugKind] = hotPlug.TakeOut,
            [MergeSteps.BeginKind] = merge.BeginStep,
            [MergeSteps.HaltKind] = merge.HaltStep,
            [MergeSteps.FinishKind] = merge.FinishStep,
            [MirrorSteps.BeginKind] = mirror.BeginStep,
            [MirrorSteps.EndKind] = mirror.EndStep,
            [MirrorSteps.LetGoKind] = mirror.LetGoStep,
            [MirrorSteps.DiscardKind] = mirror.DiscardStep,
            [LinkKind] = new StepKind<CableArguments>(json.CableArguments, cable.ApplyAsync, cable.UndoAsync, Probe: null),
            [CardSteps.UnplugKind] = card.TakeOut,
            [CardSteps.PlugKind] = card.PlugIn,
            [SignalKind] = new StepKind<SignalArguments>(
                json.SignalArguments, signal.ApplyAsync, signal.UndoAsync, signal.ProbeAsync),
        };
    }

    private static async Task<T> NamedAsync<T>(string subject, Func<Task<T>> act)
    {
        try
        {
            return await act();
        }
        catch (QmpRefusalException e)
        {
            throw new CoppiceException(ErrorKind.Hypervisor, subject, $"QEMU refused '{e.Command}': {e.Description}", "", e);
        }
        catch (FileException e)
        {
            throw new CoppiceException(ErrorKind.Storage, e.Path, e.Problem, e.NextStep, e);
        }
    }
}
