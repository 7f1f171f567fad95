using System.Globalization;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Engine;

/// <summary>Takes the lock of a home or a domain, and names the holder if it cannot be had.</summary>
internal static class HeldLock
{
    /// <param name="path">The lock.</param>
    /// <param name="subject">What it guards.</param>
    /// <param name="operation">What is to be done, in the words of the command line.</param>
    /// <param name="wait">How long to wait.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    /// <exception cref="CoppiceException">Somebody else has it (<see cref="ErrorKind.Busy"/>).</exception>
    public static async Task<FileLock> TakeAsync(
        string path, string subject, string operation, TimeSpan wait, TimeProvider time, CancellationToken cancellation)
    {
        var taken = await FileLock.AcquireAsync(path, wait, time, cancellation).ConfigureAwait(false);
        if (taken is null)
        {
            var holder = FileLock.ReadNote(path).Trim();
            throw new CoppiceException(
                ErrorKind.Busy, subject, $"is in use by {(holder.Length == 0 ? "another command" : holder)}", "try again when it is done");
        }

        taken.Note(string.Create(
            CultureInfo.InvariantCulture,
            $"process {Environment.ProcessId} ({Path.GetFileName(Environment.ProcessPath)}), operation '{operation}', since {time.GetUtcNow():u}\n"));
        return taken;
    }
}
