using Coppice.Core;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>What the steps in which a guest stands still have in common: the way back.</summary>
internal static class Standstill
{
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
}
