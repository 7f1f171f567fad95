using System.Diagnostics;

namespace Coppice.Qemu.Probing;

/// <summary>
/// Whether KVM runs guests here. That /dev/kvm can be opened proves nothing: so a guest of three instructions is started,
/// which ends QEMU with a status that only it can bring about. It gets the CPU that a guest of the host's model would get:
/// nested hosts run simpler ones and fail on that.
/// </summary>
internal sealed class KvmProbe(string binary, TimeProvider time)
{
    private const int RomBytes = 64 << 10;
    private const int ResetVector = RomBytes - 16;

    /// <summary>isa-debug-exit ends with twice the byte written, plus one.</summary>
    private const int ExitStatus = (0x2A << 1) | 1;

    // mov dx,0xF4; mov al,0x2A; out dx,al; hlt
    private static readonly byte[] s_code = [0xBA, 0xF4, 0x00, 0xB0, 0x2A, 0xEE, 0xF4];

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private bool? _works;

    /// <summary>Whether a guest really ran. Tried once.</summary>
    public async Task<bool> WorksAsync(CancellationToken cancellation) =>
        _works ??= File.Exists("/dev/kvm") && await RunsAsync("kvm", cancellation);

    /// <summary>Whether the probe guest runs with an accelerator.</summary>
    public async Task<bool> RunsAsync(string accelerator, CancellationToken cancellation)
    {
        // It has no name by the time that QEMU opens it, so that nothing is left of it whoever is killed.
        var path = $"{Path.GetTempPath()}/coppice-{Guid.NewGuid():N}.rom";
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite);
        File.Delete(path);
        var rom = new byte[RomBytes];
        s_code.CopyTo(rom, ResetVector);
        await file.WriteAsync(rom, cancellation);
        await file.FlushAsync(cancellation);
        var open = $"/proc/{Environment.ProcessId}/fd/{file.SafeFileHandle.DangerousGetHandle()}";
        return await RunAsync(accelerator, open, cancellation) == ExitStatus;
    }

    private async Task<int?> RunAsync(string accelerator, string rom, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(binary) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])
            ["-accel", accelerator, "-cpu", accelerator == "kvm" ? "host" : "max", "-machine", "pc", "-m", "16",
             "-nodefaults", "-no-user-config", "-display", "none",
             "-bios", rom, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x01"])
        {
            start.ArgumentList.Add(argument);
        }

        using var guest = Process.Start(start)!;
        using var limit = new CancellationTokenSource(s_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            await guest.WaitForExitAsync(either.Token);
            return guest.ExitCode;
        }
        catch (OperationCanceledException)
        {
            guest.Kill();
            cancellation.ThrowIfCancellationRequested();
            return null;
        }
    }
}
