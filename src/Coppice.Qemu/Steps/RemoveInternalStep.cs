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

        // A guest that was saved and stands still has let go of its images, and QEMU aborts when it is told to write to one:
        // then the storage does it, and QEMU reads the tables again when the guest goes on.
        if (machine is not null && await machine.StatusAsync(cancellation) is not ("postmigrate" or "finish-migrate"))
        {
            await InternalSnapshots.RemoveAsync(machine, remove.Snapshot, cancellation);
        }

        return StepReport.Nothing;
    }
}
