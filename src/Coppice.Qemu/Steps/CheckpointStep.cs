using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Coppice.Qemu.Tpm;

namespace Coppice.Qemu.Steps;

/// <summary>
/// The one pause of a snapshot. While the guest runs: the empty layers are added to the block graph, the memory file is
/// opened and handed over, the images are flushed, the guard is armed; last its file systems are frozen, if that is asked. While
/// it stands: stop, then transaction and the memory file, or snapshot-save and transaction for memory inside a disk; the TPM's file is
/// read; cont. After that: the file systems are thawed, the rest of a stream comes that is written in the background, and then
/// everything is flushed.
/// </summary>
internal sealed class CheckpointStep(GuardPost guards, TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(CheckpointArguments step, StepContext context, CancellationToken cancellation)
    {
        var request = step.Request;
        var folder = RunFolder.Of(context.Folder.Home, request.Process);
        await using var machine = await Machine.ConnectAsync(folder, time, cancellation)
            ?? throw Standstill.Gone(request.Process);
        await guards.WaitForOthersAsync(context, cancellation);
        Standstill.RequireSavable(request.Memory, folder, time);
        if (request.TpmCopy is { } tpm)
        {
            TpmState.Of(context.Folder, tpm.From).Require();
        }

        await using var freeze = step.Agent is { } agent
            ? await GuestFreeze.PrepareAsync(machine, folder, agent, context, time, cancellation)
            : null;
        await AddOverlaysAsync(machine, folder, request.Disks, cancellation);
        if (request.Memory.Mode is MemoryMode.Internal)
        {
            // It stays as it was chosen last, and a mapped checkpoint or load chose that RAM is elsewhere.
            await machine.ChooseRamAsync(withRam: true, cancellation);
        }

        using var memory = await MemoryFile.OpenAsync(machine, request.Process, request.Memory, context, cancellation, request.RunsOn);
        foreach (var image in request.Disks.Select(d => d.From.Path).Concat(request.Internals.Select(l => l.Path)).Distinct())
        {
            // The stop flushes the images too, but the guest stands still meanwhile: now there is less left to flush.
            await Task.Run(() => DurableFile.Flush(image), cancellation);
        }

        await (memory?.FlushRamAsync(time, cancellation) ?? Task.CompletedTask);
        var resumes = request.State is DomainState.Running;
        var order = new GuardOrder(context.Folder, context.Operation, resumes ? folder : null, null)
        {
            Frozen = freeze?.Guarded,
            Cancels = !request.RunsOn && MemoryFile.IsStream(request.Memory),
        };
        await guards.ArmAsync(order, cancellation);
        var parts = new Stopwatches(time);
        var stood = freeze is null ? await OrGoOnAsync() : await freeze.DuringAsync(parts, OrGoOnAsync, cancellation);
        await guards.DisarmAsync(context, CancellationToken.None);
        if (request.RunsOn)
        {
            await parts.TimeAsync("the rest of the memory", () => memory!.EndAsync(machine, context, cancellation));
        }

        await FlushDisksAsync(request, cancellation);
        if (request.TpmCopy is { } copy)
        {
            await TpmState.Of(context.Folder, copy.To).WriteAsync(stood.Tpm, cancellation);
            TpmState.Of(context.Folder, copy.From).Flush();
        }

        var written = memory is null ? default : await memory.FinishAsync(folder, context, cancellation);
        return new StepReport
        {
            Mechanism = Mechanism(step, stood.Woken),
            Pause = resumes && !request.StaysPaused ? stood.Pause : null,
            Written = written,
            Timings = parts.Timings,
        };

        Task<Stood> OrGoOnAsync() => Standstill.OrGoOnAsync(
            machine, request.State, () => StandAsync(machine, request, memory, parts, context, cancellation));
    }

    public async Task UndoAsync(CheckpointArguments step, StepContext context, CancellationToken cancellation)
    {
        var request = step.Request;
        var folder = RunFolder.Of(context.Folder.Home, request.Process);
        await using (var machine = await Standstill.GoOnAsync(folder, request.State, time, cancellation))
        {
            await guards.DisarmAsync(context, cancellation);
            if (machine is not null)
            {
                if (step.Agent is { } agent)
                {
                    await GuestFreeze.ThawLeftAsync(machine, folder, agent, context, time, cancellation);
                }

                await MemoryFile.AbandonAsync(machine, request.Memory, folder, context, cancellation);
                await InternalSnapshots.UndoAsync(machine, request.Internals, context, cancellation);
                foreach (var disk in request.Disks)
                {
                    await RemoveOverlayAsync(machine, disk, cancellation);
                }
            }
        }

        MemoryFile.Remove(request.Memory, folder, context);
        if (request.TpmCopy is { } copy)
        {
            TpmState.Of(context.Folder, copy.To).Remove();
        }
    }

    public async Task<StepOutcome> ProbeAsync(CheckpointArguments step, StepContext context, CancellationToken cancellation)
    {
        var request = step.Request;
        if (request.Disks.IsEmpty)
        {
            // No disk was to move, and of memory or internal snapshots a half is worth nothing.
            return StepOutcome.NotDone;
        }

        await using var machine = await Machine.ConnectAsync(
            RunFolder.Of(context.Folder.Home, request.Process), time, cancellation);
        if (machine is null)
        {
            return StepOutcome.Done;
        }

        var moved = 0;
        foreach (var disk in request.Disks)
        {
            var node = await Machine.NodeOfAsync(machine.Qmp, disk.Target, cancellation);
            moved += node == BlockNodes.NameOf(disk.To.Id) ? 1 : 0;
        }

        return moved == 0 ? StepOutcome.NotDone : moved == request.Disks.Length ? StepOutcome.Done : StepOutcome.Unknown;
    }

    /// <summary>What is done while the guest stands still.</summary>
    private static async Task<Stood> StandAsync(
        Machine machine, CheckpointRequest request, MemoryFile? memory, Stopwatches parts, StepContext context,
        CancellationToken cancellation)
    {
        var before = parts.Elapsed;
        await parts.TimeAsync("stop", () => machine.StopAsync(cancellation));
        var woken = await machine.ReawakenAsync(cancellation);
        var inside = request.Memory.Mode is MemoryMode.Internal;
        if (inside)
        {
            // First: what holds the memory may be a layer that the guest is about to leave.
            await parts.TimeAsync(
                "snapshot-save", () => InternalSnapshots.SaveAsync(machine, request.Memory, request.Internals, context, cancellation));
        }

        JsonNode[] actions =
        [
            .. request.Disks.Select(Move),
            .. inside ? [] : request.Internals.Select(InternalSnapshots.Action),
        ];
        if (actions.Length > 0)
        {
            await parts.TimeAsync("transaction", () => machine.Qmp.ExecuteAsync(
                "transaction", new JsonObject { ["actions"] = new JsonArray(actions) }, cancellation));
        }

        await (memory is null ? Task.CompletedTask
            : request.RunsOn ? parts.TimeAsync("begin to migrate", () => memory.BeginAsync(machine))
            : memory.SaveAsync(machine, parts, context, cancellation));

        // Saving memory waits for a command that the TPM was carrying out: now what it keeps is what the memory knows.
        var tpm = request.TpmCopy is { } copy ? TpmState.Of(context.Folder, copy.From).Read() : null;
        if (request is { State: DomainState.Running, StaysPaused: false })
        {
            await parts.TimeAsync("cont", machine.ResumeAsync);
        }

        return new Stood(woken, tpm, parts.Elapsed - before);
    }

    /// <summary>What came of a standstill.</summary>
    /// <param name="Woken">Whether the guest had to run for an instant to become savable.</param>
    /// <param name="Tpm">What its TPM kept.</param>
    /// <param name="Pause">How long it stood still.</param>
    private sealed record Stood(bool Woken, byte[]? Tpm, TimeSpan Pause);

    private static async Task AddOverlaysAsync(
        Machine machine, RunFolder folder, ImmutableArray<DiskSwitch> disks, CancellationToken cancellation)
    {
        if (disks.IsEmpty)
        {
            return;
        }

        var drives = DriveModes.Read(folder);
        foreach (var disk in disks)
        {
            await RemoveOverlayAsync(machine, disk, cancellation);
            var mode = drives.GetValueOrDefault(disk.Target, DriveMode.Default);
            await machine.Qmp.ExecuteAsync("blockdev-add", BlockNodes.Overlay(disk.To, mode), cancellation);
        }
    }

    private static async Task RemoveOverlayAsync(Machine machine, DiskSwitch disk, CancellationToken cancellation)
    {
        try
        {
            await machine.Qmp.ExecuteAsync(
                "blockdev-del", new JsonObject { ["node-name"] = BlockNodes.NameOf(disk.To.Id) }, cancellation);
        }
        catch (QmpRefusalException)
        {
            // It was never added, or the guest has moved to it: then it stays.
        }
    }

    private static JsonNode Move(DiskSwitch disk) => new JsonObject
    {
        ["type"] = "blockdev-snapshot",
        ["data"] = new JsonObject { ["node"] = BlockNodes.NameOf(disk.From.Id), ["overlay"] = BlockNodes.NameOf(disk.To.Id) },
    };

    private static Task FlushDisksAsync(CheckpointRequest request, CancellationToken cancellation) => Task.Run(
        () =>
        {
            foreach (var disk in request.Disks)
            {
                DurableFile.Flush(disk.From.Path);
                DurableFile.Flush(disk.To.Path);
                DurableFolder.Flush(Path.GetDirectoryName(disk.To.Path)!);
            }

            foreach (var snapshot in request.Internals)
            {
                DurableFile.Flush(snapshot.Path);
            }
        },
        cancellation);

    private static string Mechanism(CheckpointArguments step, bool woken)
    {
        var request = step.Request;
        var memory = request.Memory.Mode switch
        {
            MemoryMode.External when request.Memory.Format is MemoryFormat.Mapped => "memory by a clone of the RAM file, device state by snapshot-save",
            MemoryMode.External => $"memory by migration stream to a descriptor{(request.RunsOn ? ", written while the guest ran on" : "")}",
            MemoryMode.Internal => $"memory by snapshot-save into {request.Memory.Disk}",
            _ => "no memory",
        };
        var inside = request.Memory.Mode is MemoryMode.Internal ? "snapshot-save" : "one transaction of blockdev-snapshot-internal-sync";
        string[] parts =
        [
            memory,
            request.Disks.IsEmpty
                ? "no disk moved" : $"{request.Disks.Length} disk(s) moved by one transaction of blockdev-snapshot",
            .. request.Internals.IsEmpty ? [] : new[] { $"{request.Internals.Length} image(s) snapshotted inside by {inside}" },
            .. step.Agent is null ? Array.Empty<string>() : ["file systems frozen by the agent in the guest"],
        ];
        var all = string.Join(", ", parts);
        return woken ? $"{all}; the guest had been saved before and ran for an instant" : all;
    }
}
