using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// Runs virtual machines on a <see cref="FakeHost"/>, and refuses what QEMU refuses: an image that another process writes,
/// a memory image that is missing or cut off, a command to a process that is gone.
/// </summary>
public sealed class FakeHypervisor(FakeHost host) : IHypervisor
{
    private static readonly TimeSpan s_standing = TimeSpan.FromMilliseconds(2);

    private readonly FakeTpm _tpm = new(host);
    private readonly FakeHotPlug _hotPlug = new(host);
    private readonly FakeTaps _taps = new(host);

    public string Prefix => "machine";

    public Task<CapabilitySet> CapabilitiesAsync(CancellationToken cancellation) => Task.FromResult(new CapabilitySet(
        "fake", "1",
        [
            Capability.OfflineExternalDisk, Capability.OnlineExternalDiskOnly, Capability.ExternalMemory,
            Capability.LiveMemory, Capability.MixedDisks, Capability.OfflineInternalDisk, Capability.OnlineInternalDiskOnly,
            Capability.InternalMemory, Capability.ExternalMemoryInternalDisk, Capability.InternalMemoryExternalDisk,
            Capability.ManualDisk, Capability.SavedDomain, Capability.OnlineResize, Capability.HotPlug, Capability.GuestTime,
        ]));

    public Task<DomainDefinition> SealAsync(DomainDefinition definition, CancellationToken cancellation) => Task.FromResult(definition);

    public Task<HypervisorObservation> ObserveAsync(
        DomainFolder folder, ShortId? process, DomainDefinition definition, CancellationToken cancellation)
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
                ActiveImages = Plugged(found).ToImmutableDictionary(d => d.Target, d => d.Path),
                Unplugged = [.. definition.DisksAndFlash.Where(d => d.Source is not null).Select(d => d.Target).Except(Plugged(found).Select(d => d.Target))],
                Version = "1",
                MemoryEstimate = new ByteCount(1 << 20),
            });
    }

    public bool HasEnded(DomainFolder folder, ShortId process) => !host.State.Processes.ContainsKey(process);

    public Step Launch(LaunchRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Definition.Tpm is not null && request.Tpm is null)
        {
            throw new CoppiceException(ErrorKind.WrongState, "the TPM", "has nothing that it keeps");
        }

        var arguments = new LaunchArguments(
            request.Process, [.. request.Disks.Select(d => Drive(request, d))], [.. request.Disks.SelectMany(d => d.Layers)], request.Memory,
            request.MemoryHolder, request.Tpm, FakeTaps.Of(request.Definition), request.Beside);
        return Step.Of("machine.launch", $"launch {request.Process}", StepUndo.Exact, arguments, FakeJson.Default.LaunchArguments);
    }

    public Step CreateTpm(DomainFolder folder, ShortId state) => FakeTpm.Create(folder, state);

    public Step CopyTpm(DomainFolder folder, TpmCopy copy) => FakeTpm.Copy(folder, copy);

    public Step RemoveTpm(DomainFolder folder, ShortId state) => FakeTpm.Remove(folder, state);

    public Step Checkpoint(CheckpointRequest request) =>
        Step.Of("machine.checkpoint", "checkpoint", StepUndo.Compensate, request, FakeJson.Default.CheckpointRequest);

    public Step Leave(LeaveRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Step.Of("machine.leave", $"leave {request.Process}", StepUndo.Exact, request, FakeJson.Default.LeaveRequest);
    }

    public Step TakeOver(ShortId process, DomainDefinition definition, bool run) => Step.Of(
        "machine.take-over", $"{process} takes over", StepUndo.None,
        new TakeOverArguments(process, run, FakeTaps.Of(definition)), FakeJson.Default.TakeOverArguments);

    public Step SetGuestTime(ShortId process, DomainDefinition definition)
    {
        GuestAgentChannel.RequireIn(definition);
        return Step.Of(
            "machine.set-guest-time", $"set the clock of {process}", StepUndo.None, new GuestTimeArguments(process),
            FakeJson.Default.GuestTimeArguments);
    }

    public Step End(ShortId process, DomainDefinition? successor = null) =>
        Step.Of("machine.end", $"end {process}", StepUndo.None, new EndArguments(process), FakeJson.Default.EndArguments);

    public Step RemoveInternal(ShortId process, Layer snapshot) => Step.Of(
        "machine.remove-inside", "remove inside", StepUndo.None, new RemoveInternalArguments(process, snapshot),
        FakeJson.Default.RemoveInternalArguments);

    public Step Resize(ShortId process, Layer layer, ByteCount size) => Step.Of(
        "machine.resize", $"grow {layer?.Path}", StepUndo.None, new ResizeArguments(process, layer!, size), FakeJson.Default.ResizeArguments);

    public (Step Prepare, Step Switch) Plug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        FakeHotPlug.Plug(process, definition, disk);

    public (Step Switch, Step CleanUp) Unplug(ShortId process, DomainDefinition definition, DiskChain disk) =>
        FakeHotPlug.Unplug(process, definition, disk);

    public Step Signal(ShortId process, DomainSignal signal) => Step.Of(
        "machine.signal", $"{signal} {process}", signal is DomainSignal.Pause or DomainSignal.Resume ? StepUndo.Exact : StepUndo.None,
        new SignalArguments(process, signal), FakeJson.Default.SignalArguments);

    public Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(context);
        cancellation.ThrowIfCancellationRequested();
        if (_tpm.TryApply(step, context.Folder) || _hotPlug.TryApply(step))
        {
            return Task.FromResult(StepReport.Nothing);
        }

        switch (step.Kind)
        {
            case "machine.launch":
                Apply(step.Read(FakeJson.Default.LaunchArguments), context);
                break;
            case "machine.checkpoint":
                return Task.FromResult(Apply(step.Read(FakeJson.Default.CheckpointRequest), context, cancellation));
            case "machine.resize":
                var resize = step.Read(FakeJson.Default.ResizeArguments);
                Require(resize.Process!.Value);
                host.Grow(resize);
                break;
            case "machine.leave":
                return Task.FromResult(Apply(step.Read(FakeJson.Default.LeaveRequest), context));
            case "machine.take-over":
                return Task.FromResult(Apply(step.Read(FakeJson.Default.TakeOverArguments)));
            case "machine.set-guest-time":
                return Task.FromResult(Apply(step.Read(FakeJson.Default.GuestTimeArguments)));
            case "machine.end":
                End(step.Read(FakeJson.Default.EndArguments).Process, "end");
                break;
            case "machine.remove-inside":
                var (user, snapshot) = step.Read(FakeJson.Default.RemoveInternalArguments);
                RemoveInside(user, snapshot);
                break;
            default:
                Apply(step.Read(FakeJson.Default.SignalArguments));
                break;
        }

        return Task.FromResult(StepReport.Nothing);
    }

    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(context);
        _tpm.Undo(step, context.Folder);
        _hotPlug.Undo(step);
        switch (step.Kind)
        {
            case "machine.launch":
                End(step.Read(FakeJson.Default.LaunchArguments).Process, "end");
                break;
            case "machine.checkpoint":
                var checkpoint = step.Read(FakeJson.Default.CheckpointRequest);
                TakeBack(checkpoint.Process, checkpoint.State, checkpoint.Memory);
                foreach (var made in checkpoint.Internals)
                {
                    RemoveInside(checkpoint.Process, made);
                }

                if (checkpoint.TpmCopy is { } copied)
                {
                    _tpm.Remove(context.Folder.Tpm(copied.To));
                }

                break;
            case "machine.leave":
                var leave = step.Read(FakeJson.Default.LeaveRequest);
                TakeBack(leave.Process, leave.State, leave.Memory);
                break;
            case "machine.signal":
                var (process, signal) = step.Read(FakeJson.Default.SignalArguments);
                Steer(process, signal is DomainSignal.Pause ? DomainState.Running : DomainState.Paused);
                break;
        }

        return Task.CompletedTask;
    }

    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        return Task.FromResult(step.Kind switch
        {
            "machine.checkpoint" => Probe(step.Read(FakeJson.Default.CheckpointRequest)),
            "machine.resize" => Done(host.IsGrown(step.Read(FakeJson.Default.ResizeArguments))),
            "machine.launch" => Done(host.State.Processes.ContainsKey(step.Read(FakeJson.Default.LaunchArguments).Process)),
            "machine.leave" => Done(Find(step.Read(FakeJson.Default.LeaveRequest).Process) is null or { IsLeft: true }),
            "machine.end" => Done(Find(step.Read(FakeJson.Default.EndArguments).Process) is null),
            _ => _hotPlug.Probe(step) is { } done ? Done(done) : StepOutcome.Unknown,
        });
    }

    private static IEnumerable<FakeDrive> Plugged(FakeProcess process) =>
        process.Drives.Where(d => d.IsPlugged && d.Target != FakeTpm.Target);

    private static StepOutcome Done(bool done) => done ? StepOutcome.Done : StepOutcome.NotDone;

    private static FakeDrive Drive(LaunchRequest request, DiskChain chain) => new(
        chain.Target,
        chain.Layers[0].Path,
        request.Definition.DisksAndFlash.First(d => d.Target == chain.Target).IsWritten);

    private void Apply(LaunchArguments request, StepContext context)
    {
        var taps = _taps.Take(request.Taps, request.Beside);
        var drives = request.Drives;
        if (request.Tpm is { } state)
        {
            _tpm.Require(context.Folder.Tpm(state));
            drives = drives.Add(FakeTpm.Drive(context.Folder, state));
        }

        if (request.Layers.FirstOrDefault(l => host.State.Images.GetValueOrDefault(l.Path) is { } i && i.Type != l.Type) is { } wrong)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, $"image {wrong.Path}", $"is not kept in a {wrong.Type}");
        }

        foreach (var drive in drives)
        {
            host.RequireFree(drive);
        }

        var memory = MemoryOf(request);
        if (request.Memory.Mode is not MemoryMode.None && memory is null)
        {
            throw new CoppiceException(ErrorKind.Hypervisor, $"memory image {request.Memory.File}", "is missing or cut off");
        }

        var counter = memory ?? drives.Where(d => d.IsWritable).Select(d => host.State.Last(d.Path)).DefaultIfEmpty().Max();
        var domain = new DomainId(Guid.ParseExact(Path.GetFileName(context.Folder.Path), "D"));
        host.Act("launch", s => Loaded(s) with
        {
            Processes = s.Processes.Add(request.Process, new FakeProcess(domain, drives, DomainState.Paused, counter) { Taps = taps }),
        });

        FakeHostState Loaded(FakeHostState s) =>
            memory is null || request.Tpm is not { } tpm ? s : FakeTpm.Loaded(s, context.Folder.Tpm(tpm), counter);
    }

    private long? MemoryOf(LaunchArguments request) => request switch
    {
        { MemoryHolder: { } holder } => host.State.Images[holder.Path].Internals.GetValueOrDefault(holder.Inside!.Tag)?.Memory,
        { Memory.File: { } file } => host.State.Memories.GetValueOrDefault(file) is { IsComplete: true } found ? found.Counter : null,
        _ => null,
    };

    private StepReport Apply(CheckpointRequest request, StepContext context, CancellationToken cancellation)
    {
        var process = Require(request.Process);
        foreach (var to in request.Disks.Select(d => d.To.Path))
        {
            if (host.State.Images.GetValueOrDefault(to) is not { Blocks.Count: 0 })
            {
                throw new CoppiceException(ErrorKind.Hypervisor, $"overlay {to}", "is missing or not empty");
            }
        }

        host.Act("stop", s => FakeHost.Set(s, request.Process, p => p with
        {
            State = DomainState.Paused, Guard = new FakeGuard(request.State),
        }));
        cancellation.ThrowIfCancellationRequested();
        Keep(request.Memory, process.Counter, complete: false);
        var inside = request.Memory.Mode is MemoryMode.Internal;
        if (inside)
        {
            host.Act("save inside", s => request.Internals.Aggregate(s, Marked));
        }

        // One transaction: no guard ever lets a guest go on with some of its disks moved.
        host.Act("move disks", s => FakeHost.Set(
            inside ? s : request.Internals.Aggregate(s, Marked), request.Process,
            p => p with { Drives = request.Disks.Aggregate(p.Drives, Moved) }));
        Keep(request.Memory, Find(request.Process)!.Counter, complete: true);
        if (request.TpmCopy is { } copy)
        {
            _tpm.Copy(copy, context.Folder);
        }

        var then = request.StaysPaused ? DomainState.Paused : request.State;
        host.Act("continue", s => FakeHost.Set(s, request.Process, p => p with { State = then, Guard = null }));
        return new StepReport { Mechanism = "fake checkpoint", Pause = TimeSpan.FromMilliseconds(1) };

        FakeHostState Marked(FakeHostState state, Layer snapshot) => state.With(snapshot.Path, i => i with
        {
            Internals = i.Internals.Add(
                snapshot.Inside!.Tag, new FakeInternal(i.Blocks, snapshot.Id == request.Memory.Layer ? state.Processes[request.Process].Counter : null)),
        });
    }

    /// <summary>A process removes what is inside the images that it writes; of those that it reads it leaves it.</summary>
    private void RemoveInside(ShortId process, Layer snapshot)
    {
        if (Find(process) is { } user && user.Drives.Any(d => d.Path == snapshot.Path))
        {
            host.Act("remove inside", s => s.WithoutInternal(snapshot.Path, snapshot.Inside!.Tag));
        }
    }

    private static ImmutableArray<FakeDrive> Moved(ImmutableArray<FakeDrive> drives, DiskSwitch disk) =>
        [.. drives.Select(d => d.Target == disk.Target ? d with { Path = disk.To.Path } : d)];

    private StepOutcome Probe(CheckpointRequest request)
    {
        if (request.Disks.IsEmpty || Find(request.Process) is not { } process)
        {
            return request.Disks.IsEmpty ? StepOutcome.NotDone : StepOutcome.Done;
        }

        var paths = process.Drives.ToDictionary(d => d.Target, d => d.Path, StringComparer.Ordinal);
        var moved = request.Disks.Count(d => paths[d.Target] == d.To.Path);
        return moved == request.Disks.Length ? StepOutcome.Done : moved == 0 ? StepOutcome.NotDone : StepOutcome.Unknown;
    }

    private StepReport Apply(LeaveRequest request, StepContext context)
    {
        Require(request.Process);
        var guard = new FakeGuard(
            request.State, context.Operation, context.Folder.CatalogRoot, request.Successor, request.SuccessorRuns);
        host.Act("stop", s => FakeHost.Set(s, request.Process, p => p with { State = DomainState.Paused, Guard = guard, IsLeft = true }));
        Keep(request.Memory, Find(request.Process)!.Counter, complete: false);
        Keep(request.Memory, Find(request.Process)!.Counter, complete: true);
        var pauses = request is { State: DomainState.Running, SuccessorRuns: true };
        return new StepReport { StandingAtEnd = pauses ? s_standing : null };
    }

    private StepReport Apply(TakeOverArguments arguments)
    {
        host.Act("take over", s => _taps.Plug(s, arguments.Process, arguments.Taps));
        var goesOn = arguments.Run && Find(arguments.Process) is { WentOn: false };
        if (goesOn)
        {
            host.Act("go on", s => FakeHost.Set(s, arguments.Process, p => p with { State = DomainState.Running, WentOn = true }));
        }

        if (Find(arguments.Process) is { } follower)
        {
            FakeTaps.RequireAll(follower, arguments.Taps);
        }

        return new StepReport { WentOnAfter = goesOn ? TimeSpan.Zero : null };
    }

    /// <summary>Memory that was stored brings an old clock with it; a guest without an agent cannot be asked.</summary>
    private StepReport Apply(GuestTimeArguments arguments)
    {
        if (Find(arguments.Process) is not { } process)
        {
            return StepReport.Nothing;
        }

        if (!process.WentOn)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"the guest of {arguments.Process}", "has not gone on yet");
        }

        if (!host.GuestsHaveAgents || process.State is not DomainState.Running)
        {
            return new StepReport { Warning = $"the clock of {arguments.Process} was not set; have an agent in the guest" };
        }

        host.Act("set clock", s => FakeHost.Set(s, arguments.Process, p => p with { ClockSetAt = host.Now }));
        return StepReport.Nothing;
    }

    private void Apply(SignalArguments arguments)
    {
        Require(arguments.Process);
        switch (arguments.Signal)
        {
            case DomainSignal.Pause:
                Steer(arguments.Process, DomainState.Paused);
                break;
            case DomainSignal.Resume:
                Steer(arguments.Process, DomainState.Running);
                break;
            case DomainSignal.PowerButton when host.GuestsObey:
                End(arguments.Process, "power button");
                break;
        }
    }

    private void Keep(MemoryImage memory, long counter, bool complete)
    {
        if (memory.File is { } file)
        {
            host.Act(complete ? "complete memory" : "write memory", s => s with
            {
                Memories = complete ? s.Memories.SetItem(file, new(counter, true)) : s.Memories.Add(file, new(counter, false)),
            });
        }
    }

    private void TakeBack(ShortId process, DomainState state, MemoryImage memory)
    {
        host.Act("continue", s => FakeHost.Set(s, process, p => p with { State = state, Guard = null, IsLeft = false }));
        if (memory.File is { } file)
        {
            host.Act("remove memory", s => s with { Memories = s.Memories.Remove(file) });
        }
    }

    private void Steer(ShortId process, DomainState state) =>
        host.Act($"{state}", s => FakeHost.Set(s, process, p => p with { State = state }));

    private void End(ShortId process, string how) => host.Act(how, s => s with { Processes = s.Processes.Remove(process) });

    private FakeProcess? Find(ShortId process) => host.State.Processes.GetValueOrDefault(process);

    private FakeProcess Require(ShortId process) => Find(process)
        ?? throw new CoppiceException(ErrorKind.Hypervisor, $"process {process}", "is gone");
}
