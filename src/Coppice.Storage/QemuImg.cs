using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using Coppice.Core;

namespace Coppice.Storage;

/// <summary>The tool qemu-img. It is only ever told to make new files; it opens no image that exists.</summary>
internal sealed class QemuImg(TimeProvider time)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>Makes an empty qcow2 image. <c>-u</c>: the backing image is named but not opened.</summary>
    public Task CreateOverlayAsync(string path, OverlayArguments arguments, CancellationToken cancellation) => RunAsync(
        arguments.Path,
        [
            "create", "-q", "-f", "qcow2", "-u", "-b", arguments.BackingName, "-F", arguments.BackingFormat.Name(),
            "--", path, arguments.VirtualSizeBytes.ToString(CultureInfo.InvariantCulture),
        ],
        cancellation);

    private async Task RunAsync(string subject, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(s_limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        using var process = Start(arguments);
        var errors = process.StandardError.ReadToEndAsync(either.Token);
        try
        {
            await process.WaitForExitAsync(either.Token).ConfigureAwait(false);
            if (process.ExitCode != 0)
            {
                throw Failed(subject, await errors.ConfigureAwait(false));
            }
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            cancellation.ThrowIfCancellationRequested();
            throw new CoppiceException(
                ErrorKind.Storage, subject, $"qemu-img did not end within {s_limit.TotalSeconds:0} s", "look at the file system", e);
        }
    }

    private static Process Start(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("qemu-img", arguments)
        {
            RedirectStandardError = true,
            Environment = { ["LC_ALL"] = "C" },
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CoppiceException(
                ErrorKind.Storage, "qemu-img", "cannot be started", "install the package qemu-utils", e);
        }
    }

    private static CoppiceException Failed(string subject, string errors)
    {
        var reason = errors.Trim().Split('\n')[^1];
        var (problem, nextStep) = reason switch
        {
            _ when reason.Contains("No space left on device", StringComparison.Ordinal) =>
                ("no space is left on the file system", "free some space and try again"),
            _ when reason.Contains("Read-only file system", StringComparison.Ordinal) =>
                ("the file system is read-only", "remount it writable or use another folder"),
            _ => ($"qemu-img could not make it ({reason})", "check the folder's permissions"),
        };
        return new CoppiceException(ErrorKind.Storage, subject, problem, nextStep);
    }
}
