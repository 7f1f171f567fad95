using System.Text;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>What the steps in which a guest stands still have in common: the memory file, and the way back.</summary>
internal static class Standstill
{
    private const int MaximumPathBytes = 1 << 16;

    // What QEMU says when the write itself fails; other reasons have nothing to do with the file.
    private const string CannotWrite = "Unable to write to";

    /// <summary>Refuses to keep memory that QEMU could not save, before anything is moved.</summary>
    /// <exception cref="CoppiceException">The emulator of its TPM has ended (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public static void RequireSavable(MemoryImage memory, RunFolder folder, TimeProvider time)
    {
        var emulator = new RunProcess(folder, ProcessFiles.Tpm, time);
        if (memory.Mode is not MemoryMode.None && emulator.WasStarted && emulator.Pid is null)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, $"TPM emulator in {folder.Path}", "has ended, and without it the guest's memory cannot be kept",
                "do it without (snapshot create --disk-only, snapshot revert --discard-current), or stop and start the domain");
        }
    }

    /// <summary>
    /// Makes the memory file, under a name of the operation's own, and hands it to QEMU; null if none goes to a file.
    /// </summary>
    /// <exception cref="CoppiceException">The name is taken (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    public static async Task<SafeFileHandle?> OpenMemoryAsync(
        Machine machine, MemoryImage memory, StepContext context, CancellationToken cancellation)
    {
        if (memory.Mode is not MemoryMode.External)
        {
            return null;
        }

        if (Path.Exists(memory.File))
        {
            throw Taken(memory.File!);
        }

        DurableFolder.Create(Path.GetDirectoryName(memory.File!)!);
        var file = DurableFile.OpenNew(PartialOf(memory, context));
        try
        {
            await machine.PrepareMigrationAsync(file, cancellation);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Lets QEMU write the memory file that was opened.</summary>
    /// <exception cref="CoppiceException">It cannot be written (<see cref="ErrorKind.Storage"/>).</exception>
    public static async Task SaveMemoryAsync(
        Machine machine, MemoryImage memory, StepContext context, CancellationToken cancellation)
    {
        try
        {
            await machine.SaveMemoryAsync(context.Progress, cancellation);
        }
        catch (QmpRefusalException e) when (e.Description.StartsWith(CannotWrite, StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"memory image {memory.File}", $"cannot be written (QEMU: {e.Description})",
                "free some space or mend the file system, and try again", e);
        }
    }

    /// <summary>Makes the memory file durable and gives it its name.</summary>
    /// <returns>Its size.</returns>
    /// <exception cref="CoppiceException">The name was taken meanwhile (<see cref="ErrorKind.AlreadyExists"/>).</exception>
    public static async Task<ByteCount> FinishMemoryAsync(
        MemoryImage memory, RunFolder folder, StepContext context, CancellationToken cancellation)
    {
        if (memory.Mode is not MemoryMode.External)
        {
            return default;
        }

        var (file, partial) = (memory.File!, PartialOf(memory, context));
        await Task.Run(() => DurableFile.Flush(partial), cancellation);

        // Once the partial file is gone, this alone tells the undo that the file is ours to remove.
        await DurableFile.ReplaceAsync(folder.Finished(context.Operation), Encoding.UTF8.GetBytes(file), cancellation);
        try
        {
            File.Move(partial, file, overwrite: false);
        }
        catch (IOException) when (Path.Exists(partial) && Path.Exists(file))
        {
            throw Taken(file);
        }

        DurableFolder.Flush(Path.GetDirectoryName(file)!);
        return new ByteCount(new FileInfo(file).Length);
    }

    /// <summary>Removes a memory file that is not going to be used, but nothing that the operation did not make.</summary>
    public static void RemoveMemory(MemoryImage memory, RunFolder folder, StepContext context)
    {
        if (memory.Mode is not MemoryMode.External)
        {
            return;
        }

        var (partial, finished) = (PartialOf(memory, context), folder.Finished(context.Operation));
        var recorded = File.Exists(finished);
        if (recorded && !File.Exists(partial)
            && DurableFile.ReadTextBounded(finished, MaximumPathBytes) == memory.File)
        {
            DurableFile.Remove(memory.File!);
        }

        if (recorded)
        {
            // It goes before the partial file, also on disk: without that one it would lay claim to whatever has the name.
            DurableFile.Remove(finished);
            DurableFolder.Flush(folder.Path);
        }

        DurableFile.Remove(partial);
    }

    /// <summary>Does what a guest stands still for. If it fails, the guest goes on before anything else is done.</summary>
    public static async Task<T> OrGoOnAsync<T>(Machine machine, DomainState state, Func<Task<T>> act)
    {
        try
        {
            return await act();
        }
        catch
        {
            try
            {
                await GoOnAsync(machine, state);
            }
            catch (Exception e) when (e is CoppiceException or QmpRefusalException or IOException)
            {
                // The first error says more, and the undo tries again.
            }

            throw;
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
            await GoOnAsync(machine, state);
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

    private static async Task GoOnAsync(Machine machine, DomainState state)
    {
        await machine.AbandonMigrationAsync();
        if (state is DomainState.Running)
        {
            await machine.ResumeAsync();
        }
    }

    private static string PartialOf(MemoryImage memory, StepContext context) => $"{memory.File}.{context.Operation}.partial";

    private static CoppiceException Taken(string file) => new(
        ErrorKind.AlreadyExists, $"file {file}", "is there already, and memory is written to a new file only", "name another file");
}
