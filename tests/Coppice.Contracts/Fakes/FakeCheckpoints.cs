using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Contracts.Fakes;

/// <summary>What keeps a moment of a guest on a <see cref="FakeHost"/>: it is checkpointed and goes on, or is left for good.</summary>
internal sealed class FakeCheckpoints(FakeHost host)
{
    private const string CheckpointKind = "machine.checkpoint", LeaveKind = "machine.leave", RemoveKind = "machine.remove-inside";

    private static readonly TimeSpan s_standing = TimeSpan.FromMilliseconds(2);

    private readonly FakeTpm _tpm = new(host);
    private readonly FakeFreeze _freeze = new(host);

    public static Step Checkpoint(CheckpointRequest request, DomainDefinition? quiesced)
    {
        if (quiesced is not null)
        {
            GuestAgentChannel.RequireIn(quiesced);
            FakeFreeze.RequireRunning(request);
        }

        if (request is { RunsOn: true, TpmCopy: not null })
        {
            throw new CoppiceException(ErrorKind.MissingCapability, "the TPM of a guest that runs on", "cannot be kept", "leave --live out");
        }

        return Step.Of(
            CheckpointKind, "checkpoint", StepUndo.Compensate, new CheckpointArguments(request, quiesced is not null),
            FakeJson.Default.CheckpointArguments) with
        {
            Files = FakeLaunches.Files(request.Memory.Format is MemoryFormat.Mapped ? request.Memory.File : null),
        };
    }

    public static Step Leave(LeaveRequest request) =>
        Step.Of(LeaveKind, $"leave {request.Process}", StepUndo.Exact, request, FakeJson.Default.LeaveRequest) with
        {
            Files = FakeLaunches.Files(request.Memory.Format is MemoryFormat.Mapped ? request.Memory.File : null),
        };

    public static Step RemoveInternal(ShortId process, Layer snapshot) => Step.Of(
        RemoveKind, "remove inside", StepUndo.None, new RemoveInternalArguments(process, snapshot), FakeJson.Default.RemoveInternalArguments);

    /// <summary>Carries a step out if it is one of these.</summary>
    public StepReport? TryApply(Step step, StepContext context, CancellationToken cancellation)
    {
        switch (step.Kind)
        {
            case CheckpointKind:
                return Checkpoint(step.Read(FakeJson.Default.CheckpointArguments), context, cancellation);
            case LeaveKind:
                return Leave(step.Read(FakeJson.Default.LeaveRequest), context);
            case RemoveKind:
                var (process, snapshot) = step.Read(FakeJson.Default.RemoveInternalArguments);
                RemoveInside(process, snapshot);
                return StepReport.Nothing;
            default:
                return null;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step, DomainFolder folder)
    {
        switch (step.Kind)
        {
            case CheckpointKind:
                var checkpoint = step.Read(FakeJson.Default.CheckpointArguments).Request;
                TakeBack(checkpoint.Process, checkpoint.State, checkpoint.Memory);
                foreach (var made in checkpoint.Internals)
                {
                    RemoveInside(checkpoint.Process, made);
                }

                if (checkpoint.TpmCopy is { } copied)
                {
                    _tpm.Remove(folder.Tpm(copied.To));
                }

                break;
            case LeaveKind:
                var leave = step.Read(FakeJson.Default.LeaveRequest);
                TakeBack(leave.Process, leave.State, leave.Memory);
                break;
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public StepOutcome? Probe(Step step) => step.Kind switch
    {
        CheckpointKind => Probe(step.Read(FakeJson.Default.CheckpointArguments).Request),
        LeaveKind => host.Find(step.Read(FakeJson.Default.LeaveRequest).Process) is null or { IsLeft: true } ? StepOutcome.Done : StepOutcome.NotDone,
        _ => null,
    };

    private StepReport Checkpoint(CheckpointArguments step, StepContext context, CancellationToken cancellation)
    {
        var request = step.Request;
        var process = host.Require(request.Process);
        RequireClonable(request.Memory, process);
        foreach (var to in request.Disks.Select(d => d.To.Path))
        {
            if (host.State.Images.GetValueOrDefault(to) is not { Blocks.Count: 0 })
            {
                throw new CoppiceException(ErrorKind.Hypervisor, $"overlay {to}", "is missing or not empty");
            }
        }

        if (step.IsQuiesced)
        {
            _freeze.Freeze(request, context.Operation);
        }

        host.Act("stop", s => FakeHost.Set(s, request.Process, p => p with
        {
            State = DomainState.Paused, Guard = new FakeGuard(request.State, context.Operation),
        }));
        cancellation.ThrowIfCancellationRequested();
        Keep(request.Memory, process.Counter, complete: false);
        MoveDisks(request);
        Keep(request.Memory, host.Require(request.Process).Counter, complete: true);
        if (request.TpmCopy is { } copy)
        {
            _tpm.Copy(copy, context.Folder);
        }

        var then = request.StaysPaused ? DomainState.Paused : request.State;
        host.Act("continue", s => FakeHost.Set(s, request.Process, p => p with { State = then, Guard = p.IsFrozen ? p.Guard : null }));
        if (step.IsQuiesced)
        {
            _freeze.Thaw(request);
        }

        return new StepReport
        {
            Mechanism = "fake checkpoint", Pause = request is { State: DomainState.Running, StaysPaused: false } ? TimeSpan.FromMilliseconds(1) : null,
        };
    }

    /// <summary>One transaction, but for memory inside a disk: no guard ever lets a guest go on with some of its disks moved.</summary>
    private void MoveDisks(CheckpointRequest request)
    {
        var inside = request.Memory.Mode is MemoryMode.Internal;
        if (inside)
        {
            host.Act("save inside", s => request.Internals.Aggregate(s, Marked));
        }

        host.Act("move disks", s => FakeHost.Set(
            inside ? s : request.Internals.Aggregate(s, Marked), request.Process,
            p => p with { Drives = request.Disks.Aggregate(p.Drives, Moved) }));

        FakeHostState Marked(FakeHostState state, Layer snapshot) => state.With(snapshot.Path, i => i with
        {
            Internals = i.Internals.Add(
                snapshot.Inside!.Tag, new FakeInternal(i.Blocks, snapshot.Id == request.Memory.Layer ? state.Processes[request.Process].Counter : null)),
        });
    }

    private static ImmutableArray<FakeDrive> Moved(ImmutableArray<FakeDrive> drives, DiskSwitch disk) =>
        [.. drives.Select(d => d.Target == disk.Target ? d with { Path = disk.To.Path } : d)];

    /// <summary>A process removes what is inside the images that it writes; of those that it reads it leaves it.</summary>
    private void RemoveInside(ShortId process, Layer snapshot)
    {
        if (host.Find(process) is { } user && user.Drives.Any(d => d.Path == snapshot.Path))
        {
            host.Act("remove inside", s => s.WithoutInternal(snapshot.Path, snapshot.Inside!.Tag));
        }
    }

    private StepOutcome Probe(CheckpointRequest request)
    {
        if (request.Disks.IsEmpty || host.Find(request.Process) is not { } process)
        {
            return request.Disks.IsEmpty ? StepOutcome.NotDone : StepOutcome.Done;
        }

        var paths = process.Drives.ToDictionary(d => d.Target, d => d.Path, StringComparer.Ordinal);
        var moved = request.Disks.Count(d => paths[d.Target] == d.To.Path);
        return moved == request.Disks.Length ? StepOutcome.Done : moved == 0 ? StepOutcome.NotDone : StepOutcome.Unknown;
    }

    private StepReport Leave(LeaveRequest request, StepContext context)
    {
        RequireClonable(request.Memory, host.Require(request.Process));
        var guard = new FakeGuard(
            request.State, context.Operation, context.Folder.CatalogRoot, request.Successor, request.SuccessorRuns);
        host.Act("stop", s => FakeHost.Set(s, request.Process, p => p with { State = DomainState.Paused, Guard = guard, IsLeft = true }));
        Keep(request.Memory, host.Require(request.Process).Counter, complete: false);
        Keep(request.Memory, host.Require(request.Process).Counter, complete: true);
        var pauses = request is { State: DomainState.Running, SuccessorRuns: true };
        return new StepReport { StandingAtEnd = pauses ? s_standing : null };
    }

    private static void RequireClonable(MemoryImage memory, FakeProcess process)
    {
        if (memory.Format is MemoryFormat.Mapped && process.Ram is not { IsClonable: true })
        {
            throw new CoppiceException(ErrorKind.WrongState, "the RAM of the process", "is in no file that could be cloned");
        }
    }

    private void Keep(MemoryImage memory, long counter, bool complete)
    {
        if (memory.File is { } file)
        {
            host.Act(complete ? "complete memory" : "write memory", s => s with
            {
                Memories = complete
                    ? s.Memories.SetItem(file, new(counter, true) { Format = memory.Format })
                    : s.Memories.Add(file, new(counter, false) { Format = memory.Format }),
            });
        }
    }

    private void TakeBack(ShortId process, DomainState state, MemoryImage memory)
    {
        host.Act("continue", s => FakeHost.Set(s, process, p => p with { State = state, Guard = null, IsLeft = false, IsFrozen = false }));
        if (memory.File is { } file)
        {
            host.Act("remove memory", s => s with { Memories = s.Memories.Remove(file) });
        }
    }
}
