using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Coppice.Qemu.Tpm;

namespace Coppice.Qemu.Steps;

/// <summary>Starts a process, with memory loaded if there is any; its guest stands still.</summary>
internal sealed class LaunchStep(EndStep end, TpmEmulator tpm, TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    public async Task<StepReport> ApplyAsync(LaunchArguments launch, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, launch.Process);
        await end.ApplyAsync(new EndArguments(launch.Process, []), context, cancellation);
        DurableFolder.Create(folder.Path);
        await DriveModes.WriteAsync(folder, launch.Drives, cancellation);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        var parts = new Stopwatches(time);
        try
        {
            if (launch.Tpm is { } state)
            {
                await StartTpmAsync(launch, TpmState.Of(context.Folder, state), context, cancellation);
            }

            await process.StartAsync(launch.Binary, launch.CommandLine, cancellation);
            var qmp = await process.ConnectAsync(folder.Commands, $"domain '{launch.Domain}'", s_limit, cancellation);
            await using var machine = new Machine(qmp, time);
            parts.Add("start");
            if (launch.Memory.Mode is not MemoryMode.None)
            {
                RequireSameVersion(launch, qmp.Version);
                await parts.TimeAsync("load", () => launch.MemoryHolder is { } holder
                    ? StoredMemory.LoadAsync(machine, holder, context, cancellation)
                    : LoadAsync(machine, launch.Memory, context, cancellation));
            }

            return new StepReport { Mechanism = $"QEMU {machine.Qmp.Version}", Timings = parts.Timings };
        }
        catch (Exception e) when (e is QmpRefusalException or CoppiceException { Kind: ErrorKind.Hypervisor })
        {
            // QEMU ends when it cannot open an image or load memory; what it says then is the reason.
            await process.WaitForEndAsync(TimeSpan.FromSeconds(1), cancellation);
            throw LaunchErrors.Explain($"{process.Log()}\n{tpm.Log(folder)}", launch, e);
        }
    }

    public Task UndoAsync(LaunchArguments launch, StepContext context, CancellationToken cancellation) =>
        end.ApplyAsync(new EndArguments(launch.Process, []), context, cancellation);

    public async Task<StepOutcome> ProbeAsync(LaunchArguments launch, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await Machine.ConnectAsync(
            RunFolder.Of(context.Folder.Home, launch.Process), time, cancellation);
        var stands = machine is not null && await machine.StatusAsync(cancellation) is not "inmigrate";
        return stands ? StepOutcome.Done : StepOutcome.NotDone;
    }

    private async Task StartTpmAsync(LaunchArguments launch, TpmState state, StepContext context, CancellationToken cancellation)
    {
        if (launch.Predecessor is { } ended)
        {
            // What the TPM keeps belongs to one emulator at a time.
            await tpm.EndAsync(RunFolder.Of(context.Folder.Home, ended), cancellation);
        }

        await tpm.StartAsync(state, RunFolder.Of(context.Folder.Home, launch.Process), cancellation);
    }

    /// <summary>
    /// Fixes within a release leave what is stored alone. Where it changes with a release, a versioned machine type keeps to
    /// what its version had.
    /// </summary>
    /// <exception cref="CoppiceException">Another release wrote it (<see cref="ErrorKind.MissingCapability"/>).</exception>
    internal static void RequireSameVersion(LaunchArguments launch, Version version)
    {
        if (Version.TryParse(launch.OnlyOn, out var writer) && (writer.Major, writer.Minor) != (version.Major, version.Minor))
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"memory of domain '{launch.Domain}'",
                $"was written by QEMU {writer} and cannot be loaded by QEMU {version}, because the machine microvm has no versions",
                $"load it with QEMU {writer.Major}.{writer.Minor}, or go on without it: 'start --anew', or a snapshot of disks alone");
        }
    }

    private static async Task LoadAsync(Machine machine, MemoryImage memory, StepContext context, CancellationToken cancellation)
    {
        using var file = OpenMemory(memory.File!);
        await machine.PrepareMigrationAsync(file, cancellation);
        await machine.LoadMemoryAsync(context.Progress, cancellation);
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle OpenMemory(string path)
    {
        try
        {
            return File.OpenHandle(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var kind = e is FileNotFoundException or DirectoryNotFoundException ? ErrorKind.NotFound : ErrorKind.Storage;
            throw new CoppiceException(
                kind, $"memory image {path}", "cannot be read", "restore the file, or revert to another snapshot", e);
        }
    }
}
