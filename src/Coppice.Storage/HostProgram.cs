using System.ComponentModel;
using System.Diagnostics;
using Coppice.Core;

namespace Coppice.Storage;

/// <summary>A program of the host that is run to its end. It is told in English, whatever the user speaks.</summary>
/// <param name="name">What it is called.</param>
/// <param name="package">The package of Debian that has it.</param>
/// <param name="time">Measures time limits.</param>
internal sealed class HostProgram(string name, string package, TimeProvider time)
{
    /// <summary>What a program answered.</summary>
    /// <param name="Code">Its exit code.</param>
    /// <param name="Output">What it printed.</param>
    /// <param name="Errors">What it complained about.</param>
    public sealed record Answer(int Code, string Output, string Errors);

    /// <summary>Runs it.</summary>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="most">How long it may take.</param>
    /// <param name="subject">What it is about, for errors.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="CoppiceException">It cannot be started, or does not end (<see cref="ErrorKind.Storage"/>).</exception>
    public async Task<Answer> RunAsync(IEnumerable<string> arguments, TimeSpan most, string subject, CancellationToken cancellation)
    {
        using var limit = new CancellationTokenSource(most, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
        using var process = Start(arguments);

        // Whoever asks a process for these has to close them: it no longer does.
        using StreamReader complaints = process.StandardError, words = process.StandardOutput;
        var errors = complaints.ReadToEndAsync(either.Token);
        var output = words.ReadToEndAsync(either.Token);
        try
        {
            await Task.WhenAll(output, process.WaitForExitAsync(either.Token)).ConfigureAwait(false);
            return new Answer(process.ExitCode, await output.ConfigureAwait(false), await errors.ConfigureAwait(false));
        }
        catch (OperationCanceledException e)
        {
            process.Kill();
            cancellation.ThrowIfCancellationRequested();
            throw new CoppiceException(
                ErrorKind.Storage, subject, $"{name} did not end within {most.TotalSeconds:0} s", "look at the file system", e);
        }
    }

    private Process Start(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(name, arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            Environment = { ["LC_ALL"] = "C" },
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CoppiceException(ErrorKind.Storage, name, "cannot be started", $"install the package {package}", e);
        }
    }
}
