using Coppice.Core;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>Removes an internal snapshot from the image that a disk of a process writes to.</summary>
internal sealed class RemoveInternalStep(TimeProvider time)
{
    public async Task<StepReport> ApplyAsync(RemoveInternalArguments remove, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await Machine.ConnectAsync(
            RunFolder.Of(context.Folder.Home, remove.Process), time, cancellation);
        if (machine is not null)
        {
            await InternalSnapshots.RemoveAsync(machine, remove.Snapshot, cancellation);
        }

        return StepReport.Nothing;
    }
}
