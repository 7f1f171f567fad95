using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Networks;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Coppice.Qemu.Tpm;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Steps;

/// <summary>Starts a process, with memory loaded if there is any; its guest stands still.</summary>
internal sealed class LaunchStep(EndStep end, SpareSteps spares, TpmEmulator tpm, HostTaps taps, TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    public async Task<StepReport> ApplyAsync(LaunchArguments launch, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, launch.Process);
        await end.ApplyAsync(new EndArguments(launch.Process, [], KeepsRam: true), context, cancellation);
        using var plugged = await OpenTapsAsync(launch, context, cancellation);
        DurableFolder.Create(folder.Path);
        await RunFolders.NoteAsync(folder, context.Folder, cancellation);
        await DriveModes.WriteAsync(folder, launch.Drives, cancellation);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        var parts = new Stopwatches(time);
        try
        {
            if (launch.Tpm is { } state)
            {
                await StartTpmAsync(launch, TpmState.Of(context.Folder, state), context, cancellation);
            }

            await parts.TimeAsync("RAM", () => Task.Run(() => StartingRam.Make(launch.Ram, launch.Memory, cancellation), cancellation));
            await process.StartAsync(launch.Binary, launch.CommandLine, cancellation);
            var qmp = await process.ConnectAsync(folder.Commands, $"domain '{launch.Domain}'", s_limit, cancellation);
            await using var machine = new Machine(qmp, time);
            await ConnectAsync(machine, launch, plugged, cancellation);
            parts.Add("start");
            if (launch.Memory.Mode is not MemoryMode.None)
            {
                RequireSameVersion(launch, qmp.Version);
                await parts.TimeAsync("load", () => launch.MemoryHolder is { } holder
                    ? StoredMemory.LoadAsync(machine, holder, context, cancellation)
                    : LoadAsync(machine, launch, context, cancellation));

                // A card takes from memory whether its cable was in.
                foreach (var (card, isUp) in launch.Cables)
                {
                    await TapWiring.SetLinkAsync(machine, card, isUp, cancellation);
                }
            }

            await (launch.Waits is { } wait ? spares.WaitAsync(folder, launch.Ram?.Path, wait, cancellation) : Task.CompletedTask);
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

    /// <summary>
    /// The tap devices that can be had now, before anything is started. One that the process beside has comes when this one takes
    /// over.
    /// </summary>
    private async Task<OpenTaps> OpenTapsAsync(LaunchArguments launch, StepContext context, CancellationToken cancellation)
    {
        var beside = launch.Beside is { } process
            ? new RunProcess(RunFolder.Of(context.Folder.Home, process), ProcessFiles.Qemu, time).Pid
            : null;
        var opened = new OpenTaps();
        try
        {
            foreach (var plug in launch.Taps)
            {
                if (await taps.OpenBesideAsync(plug, beside, cancellation) is { } tap)
                {
                    opened.Add((plug, tap));
                }
            }

            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    private static async Task ConnectAsync(
        Machine machine, LaunchArguments launch, OpenTaps opened, CancellationToken cancellation)
    {
        foreach (var (plug, tap) in opened)
        {
            await TapWiring.PlugAsync(machine, plug, tap, cancellation);
        }

        foreach (var card in launch.Cables.Where(c => !c.Value).Select(c => c.Key))
        {
            await TapWiring.SetLinkAsync(machine, card, up: false, cancellation);
        }
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

    private static async Task LoadAsync(
        Machine machine, LaunchArguments launch, StepContext context, CancellationToken cancellation)
    {
        var isMapped = launch.Memory.Format is MemoryFormat.Mapped;
        using var file = StartingRam.Open(launch.Memory, isMapped ? launch.Ram!.Bytes : 0);
        await machine.PrepareMigrationAsync(file, withRam: !isMapped, cancellation);
        await machine.LoadMemoryAsync(context.Progress, cancellation);
    }

    /// <summary>Tap devices on their way to a process. QEMU has files of its own by the time that these are closed.</summary>
    private sealed class OpenTaps : List<(TapPlug Plug, SafeFileHandle Tap)>, IDisposable
    {
        public void Dispose() => ForEach(opened => opened.Tap.Dispose());
    }
}
