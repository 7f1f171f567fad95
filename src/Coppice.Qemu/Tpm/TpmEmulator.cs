using System.ComponentModel;
using System.Diagnostics;
using Coppice.Core;
using Coppice.Qemu.Probing;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Tpm;

/// <summary>
/// The emulator of TPMs, swtpm: a process beside each QEMU that needs one. It reads and writes its state alone; QEMU gives it
/// what was loaded with memory, and it ends when QEMU leaves it.
/// </summary>
/// <param name="program">The program: a path, or a name to look for in <c>PATH</c>. The one that makes TPMs is beside it.</param>
/// <param name="time">Measures time limits.</param>
internal sealed class TpmEmulator(string program, TimeProvider time)
{
    private const string Install = "install the packages swtpm and swtpm-tools, or remove <tpm> from the definition";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(2);

    private string Maker => $"{program}_setup";

    /// <summary>Refuses a TPM that nobody could emulate.</summary>
    /// <exception cref="CoppiceException">A program is not installed (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public void Require(DomainDefinition definition)
    {
        if (definition.Tpm is not null && ((string[])[program, Maker]).FirstOrDefault(p => SearchPath.Find(p) is null) is { } missing)
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"<devices/tpm> of domain '{definition.Name}'", $"its emulator, {missing}, is not installed",
                Install);
        }
    }

    /// <summary>Makes a TPM as its maker delivers it: with endorsement keys, without certificates.</summary>
    /// <exception cref="CoppiceException">It cannot be made (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public async Task MakeAsync(TpmState state, CancellationToken cancellation)
    {
        RequirePlain(state);
        state.Clear();

        // The maker looks for no program by its name.
        var emulator = $"{SearchPath.Find(program) ?? program} socket";
        await MakeAsync(["--tpm2", "--tpmstate", state.Path, "--createek", "--pcr-banks", "sha256", "--tpm", emulator], cancellation);
        state.Flush();
    }

    /// <summary>Starts it for a QEMU that is about to start in the same run folder, and waits for its socket.</summary>
    /// <exception cref="CoppiceException">
    /// There is nothing that the TPM keeps (<see cref="ErrorKind.NotFound"/>), or it does not start
    /// (<see cref="ErrorKind.Hypervisor"/>).
    /// </exception>
    public async Task StartAsync(TpmState state, RunFolder folder, CancellationToken cancellation)
    {
        RequirePlain(state);
        state.Require();
        var process = ProcessIn(folder);
        await process.StartAsync(
            program,
            ["socket", "--tpm2", "--tpmstate", $"dir={state.Path},mode=0600",
             "--ctrl", $"type=unixio,path={RunFolder.TpmControlName},mode=0600", "--terminate"],
            cancellation);
        for (var start = time.GetTimestamp(); !File.Exists(folder.TpmControl); await Task.Delay(s_interval, time, cancellation))
        {
            if (process.Pid is null || time.GetElapsedTime(start) > s_limit)
            {
                throw Failed(program, process.Log());
            }
        }
    }

    /// <summary>What the one beside a QEMU complained about.</summary>
    public string Log(RunFolder folder) => ProcessIn(folder).Log();

    /// <summary>
    /// Ends the one beside a QEMU that has ended, if it has not gone by itself. It replaces its file as a whole, so that nothing
    /// is torn.
    /// </summary>
    /// <exception cref="CoppiceException">The kernel does not let it go (<see cref="ErrorKind.Hypervisor"/>).</exception>
    public Task EndAsync(RunFolder folder, CancellationToken cancellation) => ProcessIn(folder).KillAsync(cancellation);

    private RunProcess ProcessIn(RunFolder folder) => new(folder, ProcessFiles.Tpm, time);

    // Its options are lists with commas between them, and there is no way to write one inside.
    private static void RequirePlain(TpmState state)
    {
        if (state.Path.Contains(',', StringComparison.Ordinal))
        {
            throw new CoppiceException(
                ErrorKind.MissingCapability, $"TPM {state.Path}", "has a comma in its path, which its emulator cannot open",
                "use a home without a comma");
        }
    }

    private async Task MakeAsync(string[] arguments, CancellationToken cancellation)
    {
        using var process = Start(new ProcessStartInfo(Maker, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        using var limit = new CancellationTokenSource(s_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        using StreamReader output = process.StandardOutput, errors = process.StandardError;
        var said = Task.WhenAll(output.ReadToEndAsync(either.Token), errors.ReadToEndAsync(either.Token));
        try
        {
            await process.WaitForExitAsync(either.Token);
            if (process.ExitCode != 0)
            {
                throw Failed(Maker, string.Join('\n', await said));
            }
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancellation.ThrowIfCancellationRequested();
            throw Failed(Maker, "it does not end");
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CoppiceException(ErrorKind.Hypervisor, $"TPM emulator {start.FileName}", e.Message, Install, e);
        }
    }

    private static CoppiceException Failed(string name, string log)
    {
        var last = log.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault();
        var said = new string([.. (last ?? "it says nothing").Where(c => !char.IsControl(c)).Take(300)]);
        return new(ErrorKind.Hypervisor, $"TPM emulator {name}", $"failed: {said}", "mend what it complains about, then try again");
    }
}
