using System.Collections.Concurrent;
using Coppice.Core;

namespace Coppice.Qemu.Guards;

/// <summary>
/// The guards on duty, by operation: one may stay armed from the step that stops a guest to the step that lets one go on.
/// </summary>
internal sealed class GuardPost(TimeProvider time)
{
    private readonly ConcurrentDictionary<ShortId, (Guard Guard, GuardOrder Order)> _armed = new();

    /// <summary>Arms a guard, or only waits for one that others left if there is nobody to let run.</summary>
    public async Task ArmAsync(GuardOrder order, CancellationToken cancellation)
    {
        if (order.Otherwise is null && order.Committed is null)
        {
            await Guard.WaitForOthersAsync(order.Folder, time, cancellation);
            return;
        }

        _armed[order.Operation] = (await Guard.ArmAsync(order, time, cancellation), order);
    }

    /// <summary>Whether a guard of this process watches an operation, to let a successor run once it is committed.</summary>
    public bool KeepsSuccessor(ShortId operation) =>
        _armed.TryGetValue(operation, out var armed) && armed.Order.Committed is not null;

    /// <summary>Sends the guard of an operation home. Without one, waits for a guard that a dead command left.</summary>
    public async Task DisarmAsync(StepContext context, CancellationToken cancellation = default)
    {
        if (_armed.TryRemove(context.Operation, out var armed))
        {
            await armed.Guard.DisarmAsync();
        }
        else
        {
            await Guard.WaitForOthersAsync(context.Folder, time, cancellation);
        }
    }

    /// <summary>Lets the guard of an operation, if it is still armed, do its work.</summary>
    public void LetGo(ShortId operation)
    {
        if (_armed.TryRemove(operation, out var armed))
        {
            armed.Guard.Dispose();
        }
    }

    /// <summary>
    /// Before something decides about a guest: no guard that a dead command left is to interfere. Those of ours may.
    /// </summary>
    public Task WaitForOthersAsync(StepContext context, CancellationToken cancellation) =>
        _armed.ContainsKey(context.Operation) ? Task.CompletedTask : Guard.WaitForOthersAsync(context.Folder, time, cancellation);
}
