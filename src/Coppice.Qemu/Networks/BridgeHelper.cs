using System.Collections.Immutable;
using System.ComponentModel;
using System.Diagnostics;
using Coppice.Core;
using Coppice.Files;
using Microsoft.Win32.SafeHandles;

namespace Coppice.Qemu.Networks;

/// <summary>
/// QEMU's helper that puts tap devices on bridges for users who may not: it has the rights, and a list of the bridges that it may
/// use. It is started by us, since QEMU's sandbox lets it start nothing.
/// </summary>
/// <param name="places">Where it may be installed.</param>
/// <param name="time">The clock.</param>
internal sealed class BridgeHelper(ImmutableArray<string> places, TimeProvider time)
{
    private const int MaximumWords = 300;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    /// <summary>A tap device on a bridge.</summary>
    /// <exception cref="CoppiceException">
    /// It is not installed, cannot be started, or refused (<see cref="ErrorKind.Hypervisor"/>).
    /// </exception>
    public async Task<SafeFileHandle> OpenAsync(TapPlug plug, CancellationToken cancellation)
    {
        var program = places.FirstOrDefault(File.Exists) ?? throw new CoppiceException(
            ErrorKind.Hypervisor, plug.Subject, "only root puts guests on bridges, and QEMU's helper for others is not installed",
            "install qemu-system-common, or run coppice as root");
        using var ours = UnixDescriptors.NewPair(out var theirs);
        string words;
        using (theirs)
        {
            using var helper = Start(plug, program, [$"--br={plug.Tap.Bridge}", $"--fd={theirs.DangerousGetHandle()}"]);
            words = await HearAsync(helper, cancellation);
        }

        return UnixDescriptors.TryReceive(ours) ?? throw new CoppiceException(
            ErrorKind.Hypervisor, plug.Subject, $"QEMU's helper refuses it: {Clean(words)}",
            $"as root: write 'allow {plug.Tap.Bridge}' into /etc/qemu/bridge.conf, and let the helper act as root: "
            + $"chmod u+s {program}");
    }

    private static Process Start(TapPlug plug, string program, string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        }
        catch (Win32Exception e)
        {
            throw new CoppiceException(
                ErrorKind.Hypervisor, plug.Subject, $"QEMU's helper {program} cannot be started: {e.Message}",
                "where only a group may run it, join that group (see ls -l); else, as root, let all run it: "
                + $"chmod a+x {program}; or run coppice as root", e);
        }
    }

    /// <summary>Lets it do its work, and returns what it complains about.</summary>
    private async Task<string> HearAsync(Process helper, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(s_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        try
        {
            using var errors = helper.StandardError;
            var words = await errors.ReadToEndAsync(either.Token);
            await helper.WaitForExitAsync(either.Token);
            return words;
        }
        catch (OperationCanceledException)
        {
            helper.Kill();
            cancellation.ThrowIfCancellationRequested();
            return "it does not end";
        }
    }

    private static string Clean(string words)
    {
        var line = string.Concat(words.Trim().Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length is 0 ? "it gives no reason" : line.Length > MaximumWords ? line[..MaximumWords] + "…" : line;
    }
}
