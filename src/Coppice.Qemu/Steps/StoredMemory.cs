using System.IO.Pipes;
using Coppice.Core;
using Coppice.Images;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Memory inside an internal snapshot. What <c>snapshot-save</c> writes there is a migration stream like any other, so it is
/// read from the image, which need not be opened by QEMU and is not written, and handed to a new process through a pipe.
/// </summary>
internal static class StoredMemory
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    public static async Task LoadAsync(Machine machine, Layer holder, StepContext context, CancellationToken cancellation)
    {
        using var image = Open(holder);
        await using var memory = OpenMemory(image, holder);
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        using (var end = new SafeFileHandle(pipe.ClientSafePipeHandle.DangerousGetHandle(), ownsHandle: false))
        {
            await machine.PrepareMigrationAsync(end, withRam: true, cancellation);
        }

        pipe.DisposeLocalCopyOfClientHandle();
        var feeding = Task.Run(() => Feed(memory, pipe), CancellationToken.None);
        try
        {
            await machine.LoadMemoryAsync(context.Progress, cancellation);
        }
        catch (Exception failure) when (failure is QmpRefusalException or CoppiceException { Kind: ErrorKind.Hypervisor })
        {
            // QEMU says only that the stream ended too early; the reader may know why.
            await Task.WhenAny(feeding, Task.Delay(s_patience, cancellation));
            if (feeding.Exception?.InnerException is ImageException e)
            {
                throw Damaged(holder, e);
            }

            throw;
        }
    }

    private static void Feed(Stream memory, AnonymousPipeServerStream pipe)
    {
        using (pipe)
        {
            try
            {
                memory.CopyTo(pipe);
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // QEMU has ended or has heard enough; it says why.
            }
        }
    }

    private static Qcow2Image Open(Layer holder)
    {
        try
        {
            return Qcow2Image.Open(holder.Path);
        }
        catch (ImageException e)
        {
            throw Damaged(holder, e);
        }
    }

    private static Stream OpenMemory(Qcow2Image image, Layer holder)
    {
        try
        {
            return image.ReadSnapshots().FirstOrDefault(s => s.Name == holder.Inside!.Tag) is { HasVmState: true } snapshot
                ? image.OpenMemory(snapshot)
                : throw new CoppiceException(
                    ErrorKind.NotFound, $"memory in internal snapshot {holder.Inside!.Tag} of {holder.Path}", "is missing",
                    "revert to another snapshot, or restore the image from a backup");
        }
        catch (ImageException e)
        {
            throw Damaged(holder, e);
        }
    }

    private static CoppiceException Damaged(Layer holder, ImageException e) => new(
        ErrorKind.Damaged, $"memory in internal snapshot {holder.Inside!.Tag} of {holder.Path}", e.Problem, e.NextStep, e);
}
