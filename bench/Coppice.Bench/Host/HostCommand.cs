using System.Diagnostics;

namespace Coppice.Bench.Host;

/// <summary>Programs of the host, run and timed.</summary>
internal static class HostCommand
{
    /// <summary>Runs a program that has to succeed.</summary>
    /// <returns>How long it ran, from before it was started until it had ended, and what it printed.</returns>
    public static async Task<(TimeSpan Elapsed, string Output)> RunAsync(string program, string[] arguments, CancellationToken cancellation)
    {
        var start = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(cancellation);
            var output = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            var elapsed = Stopwatch.GetElapsedTime(start);
            return process.ExitCode == 0
                ? (elapsed, output)
                : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {(await errors).Trim()}");
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>What a program prints, without white space around it; empty if it fails or is missing.</summary>
    public static async Task<string> TryReadAsync(string program, params string[] arguments)
    {
        try
        {
            return (await RunAsync(program, arguments, CancellationToken.None)).Output.Trim();
        }
        catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return "";
        }
    }
}
