using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>What the steps in which a guest stands still have in common: the memory file, and the way back.</summary>
internal static class Standstill
{
    /// <summary>Makes the memory file and hands it to QEMU; null if no memory is kept.</summary>
    public static async Task<SafeFileHandle?> OpenMemoryAsync(Machine machine, MemoryImage memory, CancellationToken cancellation)
    {
        if (memory.Mode is MemoryMode.None)
        {
            return null;
        }

        DurableFolder.Create(Path.GetDirectoryName(memory.File!)!);
        var stream = new FileStream(memory.File!, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        await machine.PrepareMigrationAsync(stream.SafeFileHandle, cancellation);
        return stream.SafeFileHandle;
    }

    /// <summary>Makes the memory file durable.</summary>
    /// <returns>Its size.</returns>
    public static ByteCount FlushMemory(MemoryImage memory)
    {
        if (memory.Mode is MemoryMode.None)
        {
            return default;
        }

        DurableFile.Flush(memory.File!);
        DurableFolder.Flush(Path.GetDirectoryName(memory.File!)!);
        return new ByteCount(new FileInfo(memory.File!).Length);
    }

    /// <summary>Removes a memory file that is not going to be used.</summary>
    public static void RemoveMemory(MemoryImage memory)
    {
        if (memory.Mode is not MemoryMode.None)
        {
            DurableFile.Remove(memory.File!);
        }
    }

    /// <summary>Returns a guest to what it was doing, whatever a step did to it.</summary>
    /// <returns>The machine; null if the process is gone.</returns>
    public static async Task<Machine?> GoOnAsync(
        RunFolder folder, DomainState state, TimeProvider time, CancellationToken cancellation)
    {
        var machine = await Machine.ConnectAsync(folder, time, cancellation);
        if (machine is null)
        {
            return null;
        }

        try
        {
            await machine.AbandonMigrationAsync();
            if (state is DomainState.Running)
            {
                await machine.ResumeAsync();
            }

            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    /// <summary>The process that a step needs has ended.</summary>
    public static CoppiceException Gone(ShortId process) => new(
        ErrorKind.Hypervisor, $"process {process}", "QEMU is not running any more", "start the domain again");
}
