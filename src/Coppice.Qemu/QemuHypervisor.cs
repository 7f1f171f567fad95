using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.CommandLine;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Probing;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Coppice.Qemu.Steps;

namespace Coppice.Qemu;

/// <summary>
/// The built-in hypervisor: one QEMU process a domain, started by a command and independent of it. Lowering is here; each
/// kind of step is carried out by a class of its own.
/// </summary>
public sealed class QemuHypervisor : IHypervisor
{
    private const long BytesPerSecond = 400L << 20;

    private static readonly TimeSpan s_switchPause = TimeSpan.FromMilliseconds(40);

    private readonly QemuOptions _options;
    private readonly QemuProgram _program;
    private readonly Sealing _sealing;
    private readonly TimeProvider _time;
    private readonly GuardPost _guards;
    private readonly EndStep _end;

    /// <summary>A driver for one QEMU program.</summary>
    /// <param name="options">Which one.</param>
    /// <param name="time">The clock.</param>
    public QemuHypervisor(QemuOptions options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _program = new QemuProgram(options, time);
        _sealing = new Sealing(_program, new KvmProbe(options.Binary, time));
        _guards = new GuardPost(time);
        _end = new EndStep(_guards, time);
    }

    /// <inheritdoc/>
    public string Prefix => "qemu";

    /// <inheritdoc/>
    public async Task<CapabilitySet> CapabilitiesAsync(CancellationToken cancellation)
    {
        var inventory = await _program.InventoryAsync(cancellation);
        return new CapabilitySet(Prefix, inventory.Version, CapabilityTable.Of(inventory.Commands));
    }

    /// <inheritdoc/>
    public Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation) =>
        NamedAsync($"domain '{definition.Name}'", () => _sealing.SealAsync(definition, cancellation));

    /// <inheritdoc/>
    public Task<HypervisorObservation> ObserveAsync(
        DomainFolder folder, ShortId? process, DomainDefinition definition, CancellationToken cancellation) => process is { } id
        ? NamedAsync("observe", () => new Observation(_time).ObserveAsync(RunFolder.Of(folder.Home, id), definition, cancellation))
        : Task.FromResult(HypervisorObservation.Off);

    /// <inheritdoc/>
    public Step Launch(LaunchRequest request)
    {
        RequireKnown(request.Definition);
        var images = request.Disks.SelectMany(d => d.Layers)
            .DistinctBy(l => l.Id).ToImmutableDictionary(l => l.Id.ToString(), l => l.Path);
        var launch = new LaunchArguments(
            request.Process, request.Definition.Name, request.Definition.Emulator ?? _options.Binary, QemuCommandLine.Of(request),
            request.Memory, images, request.Definition.Disks.ToImmutableDictionary(d => d.Target, DriveMode.Of));
        var loading = request.Memory.Mode is MemoryMode.None ? "" : $" and load {request.Memory.File}";
        return Step.Of(
            "qemu.launch", $"start process {request.Process} for '{request.Definition.Name}'{loading}, standing still",
            StepUndo.Exact, launch, StepJson.Default.LaunchArguments);
    }

    /// <inheritdoc/>
    public Step Checkpoint(CheckpointRequest request)
    {
        var kept = request.Memory.Mode is not MemoryMode.None;
        RequireSavable(request.State, kept);
        var disks = string.Join(", ", request.Disks.Select(d => d.Target));
        var summary = (kept, disks.Length > 0) switch
        {
            (true, true) => $"pause: save memory and move {disks}",
            (true, false) => "pause: save memory",
            _ => $"pause: move {disks}",
        };
        return Step.Of("qemu.checkpoint", summary, StepUndo.UnlessSwitched, request, StepJson.Default.CheckpointRequest) with
        {
            Files = Written(request.Memory, request.MemoryEstimate),
            ExpectedPause = s_switchPause + (kept ? Writing(request.MemoryEstimate) : TimeSpan.Zero),
        };
    }

    /// <inheritdoc/>
    public Step Leave(LeaveRequest request)
    {
        var kept = request.Memory.Mode is not MemoryMode.None;
        RequireSavable(request.State, kept);
        return Step.Of(
            "qemu.leave", kept ? $"stop process {request.Process}, keeping its memory" : $"stop process {request.Process}",
            StepUndo.Exact, request, StepJson.Default.LeaveRequest) with
        {
            Files = Written(request.Memory, request.MemoryEstimate),
            ExpectedPause = s_switchPause + (kept ? Writing(request.MemoryEstimate) : TimeSpan.Zero),
        };
    }

    /// <inheritdoc/>
    public Step TakeOver(ShortId process, DomainDefinition definition, bool run)
    {
        var takeOver = new TakeOverArguments(
            process, run, Endpoints.Links(definition), [.. HostForward.Of(definition)], [.. ScreenAddress.Of(definition)]);
        var summary = run ? $"let process {process} run as the domain" : $"make process {process} the domain, paused";
        return Step.Of("qemu.take-over", summary, StepUndo.None, takeOver, StepJson.Default.TakeOverArguments);
    }

    /// <inheritdoc/>
    public Step End(ShortId process) => Step.Of(
        "qemu.end", $"end process {process}", StepUndo.None, new EndArguments(process), StepJson.Default.EndArguments);

    /// <inheritdoc/>
    public Step Signal(ShortId process, DomainSignal signal) => Step.Of(
        "qemu.signal", $"send '{SignalStep.CommandOf(signal)}' to process {process}",
        signal is DomainSignal.Pause or DomainSignal.Resume ? StepUndo.Exact : StepUndo.None,
        new SignalArguments(process, signal), StepJson.Default.SignalArguments);

    /// <inheritdoc/>
    public Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation) => NamedAsync(step.Kind, () => step.Kind switch
    {
        "qemu.launch" => new LaunchStep(_end, _time).ApplyAsync(step.Read(StepJson.Default.LaunchArguments), context, cancellation),
        "qemu.checkpoint" => new CheckpointStep(_guards, _time).ApplyAsync(step.Read(StepJson.Default.CheckpointRequest), context, cancellation),
        "qemu.leave" => new LeaveStep(_guards, _time).ApplyAsync(step.Read(StepJson.Default.LeaveRequest), context, cancellation),
        "qemu.take-over" => new TakeOverStep(_guards, _time).ApplyAsync(step.Read(StepJson.Default.TakeOverArguments), context, cancellation),
        "qemu.end" => _end.ApplyAsync(step.Read(StepJson.Default.EndArguments), context, cancellation),
        "qemu.signal" => new SignalStep(_guards, _time).ApplyAsync(step.Read(StepJson.Default.SignalArguments), context, cancellation),
        _ => throw Unknown(step),
    });

    /// <inheritdoc/>
    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation) => NamedAsync(step.Kind, async () =>
    {
        await (step.Kind switch
        {
            "qemu.launch" => new LaunchStep(_end, _time).UndoAsync(step.Read(StepJson.Default.LaunchArguments), context, cancellation),
            "qemu.checkpoint" => new CheckpointStep(_guards, _time).UndoAsync(step.Read(StepJson.Default.CheckpointRequest), context, cancellation),
            "qemu.leave" => new LeaveStep(_guards, _time).UndoAsync(step.Read(StepJson.Default.LeaveRequest), context, cancellation),
            "qemu.signal" => new SignalStep(_guards, _time).UndoAsync(step.Read(StepJson.Default.SignalArguments), context, cancellation),
            "qemu.take-over" or "qemu.end" => Task.CompletedTask,
            _ => throw Unknown(step),
        });
        return true;
    });

    /// <inheritdoc/>
    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation) => NamedAsync(step.Kind, () => step.Kind switch
    {
        "qemu.launch" => new LaunchStep(_end, _time).ProbeAsync(step.Read(StepJson.Default.LaunchArguments), context, cancellation),
        "qemu.checkpoint" => new CheckpointStep(_guards, _time).ProbeAsync(step.Read(StepJson.Default.CheckpointRequest), context, cancellation),
        "qemu.leave" => new LeaveStep(_guards, _time).ProbeAsync(step.Read(StepJson.Default.LeaveRequest), context, cancellation),
        "qemu.signal" => new SignalStep(_guards, _time).ProbeAsync(step.Read(StepJson.Default.SignalArguments), context, cancellation),
        "qemu.end" => EndStep.ProbeAsync(step.Read(StepJson.Default.EndArguments), context),

        // It can be repeated without harm.
        "qemu.take-over" => Task.FromResult(StepOutcome.NotDone),
        _ => throw Unknown(step),
    });

    private static void RequireKnown(DomainDefinition definition)
    {
        if (definition.Obstacles is [var obstacle, ..])
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"<{obstacle.Path}> of domain '{definition.Name}'", obstacle.Reason, obstacle.NextStep);
        }

        if (definition.OnPowerOff is LifecycleAction.Restart or LifecycleAction.RenameRestart)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"<on_poweroff> of domain '{definition.Name}'",
                "nobody is there to start the guest again when it has powered off", "use destroy or preserve");
        }
    }

    private static void RequireSavable(DomainState state, bool memory)
    {
        if (memory && state is DomainState.Suspended)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, "a guest that sleeps", "QEMU cannot keep its memory", "wake it first: coppice resume");
        }
    }

    private static ImmutableArray<FileChange> Written(MemoryImage memory, ByteCount estimate) =>
        memory.File is { } file ? [new FileChange(FileEffect.Create, file, estimate)] : [];

    private static TimeSpan Writing(ByteCount bytes) => TimeSpan.FromSeconds((double)bytes.Bytes / BytesPerSecond);

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

    private static CoppiceException Unknown(Step step) => new(
        ErrorKind.Damaged, $"step {step.Kind}", "is not known to this version of Coppice", "use the version that planned it");
}
