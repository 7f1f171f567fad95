using Coppice.Core;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Stops a process for good, keeping its memory if asked. The guard stays armed after the step: only the step that lets the
/// successor go on, or the undo, sends it home.
/// </summary>
internal sealed class LeaveStep(GuardPost guards, TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(LeaveRequest request, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, request.Process);
        await using var machine = await Machine.ConnectAsync(folder, time, cancellation)
            ?? throw Standstill.Gone(request.Process);
        await guards.WaitForOthersAsync(context, cancellation);
        Standstill.RequireSavable(request.Memory, folder, time);
        using var memory = await MemoryFile.OpenAsync(machine, request.Process, request.Memory, context, cancellation);
        await (memory?.FlushRamAsync(time, cancellation) ?? Task.CompletedTask);
        var successor = request is { Successor: { } next, SuccessorRuns: true } ? RunFolder.Of(context.Folder.Home, next) : null;
        var otherwise = request.State is DomainState.Running ? folder : null;
        await guards.ArmAsync(new GuardOrder(context.Folder, context.Operation, otherwise, successor)
        {
            Cancels = MemoryFile.IsStream(request.Memory),
        }, cancellation);
        var parts = new Stopwatches(time);
        var report = await Standstill.OrGoOnAsync(
            machine, request.State, () => StandAsync(machine, folder, request, memory, parts, context, cancellation));
        var pauses = request is { State: DomainState.Running, SuccessorRuns: true };
        return report with { StandingAtEnd = pauses ? parts.Elapsed : null };
    }

    public async Task UndoAsync(LeaveRequest request, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, request.Process);
        await using (var machine = await Standstill.GoOnAsync(folder, request.State, time, cancellation))
        {
            await guards.DisarmAsync(context, cancellation);
            await (machine is null ? Task.CompletedTask : MemoryFile.AbandonAsync(machine, request.Memory, folder, context, cancellation));
        }

        MemoryFile.Remove(request.Memory, folder, context);
    }

    /// <summary>Whether the guest stands. Then the step may be done or half done: undoing it is right for both.</summary>
    public async Task<StepOutcome> ProbeAsync(LeaveRequest request, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await Machine.ConnectAsync(
            RunFolder.Of(context.Folder.Home, request.Process), time, cancellation);
        var runs = machine is not null && await machine.StatusAsync(cancellation) is "running";
        return runs ? StepOutcome.NotDone : StepOutcome.Done;
    }

    private static async Task<StepReport> StandAsync(
        Machine machine, RunFolder folder, LeaveRequest request, MemoryFile? memory, Stopwatches parts, StepContext context,
        CancellationToken cancellation)
    {
        await parts.TimeAsync("stop", () => machine.StopAsync(cancellation));
        if (memory is null)
        {
            return new StepReport { Mechanism = "stop", Timings = parts.Timings };
        }

        await machine.ReawakenAsync(cancellation);
        await memory.SaveAsync(machine, parts, context, cancellation);
        var written = await memory.FinishAsync(folder, context, cancellation);
        return new StepReport
        {
            Mechanism = request.Memory.Format is MemoryFormat.Mapped
                ? "stop, memory by a clone of the RAM file, device state by snapshot-save"
                : "stop, memory by migration stream to a descriptor",
            Written = written,
            Timings = parts.Timings,
        };
    }
}
