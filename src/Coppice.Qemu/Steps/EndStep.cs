using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;
using Coppice.Qemu.Tpm;

namespace Coppice.Qemu.Steps;

/// <summary>Ends a process and removes its run folder.</summary>
internal sealed class EndStep(GuardPost guards, TpmEmulator tpm, TimeProvider time)
{
    private const int MaximumLinksBytes = 1 << 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    public async Task<StepReport> ApplyAsync(EndArguments end, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, end.Process);
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        if (process.Pid is not null && !await QuitsAsync(process, folder, cancellation))
        {
            await process.KillAsync(cancellation);
        }

        await tpm.EndAsync(folder, cancellation);
        await new RunProcess(folder, ProcessFiles.Timer, time).KillAsync(cancellation);
        var left = string.Join(", ", [.. RemoveLinks(folder, end.Kept), .. end.KeepsRam ? [] : RemoveRam(end.Process, context)]);
        DurableFolder.Remove(folder.Path);
        if (!guards.KeepsSuccessor(context.Operation))
        {
            await guards.DisarmAsync(context, cancellation);
        }

        return new StepReport { Mechanism = left is "" ? null : left };
    }

    public static Task<StepOutcome> ProbeAsync(EndArguments end, StepContext context, CancellationToken cancellation) =>
        Task.FromResult(
            Directory.Exists(RunFolder.Of(context.Folder.Home, end.Process).Path) ? StepOutcome.NotDone : StepOutcome.Done);

    /// <summary>
    /// Removes the links that lead to its sockets from paths that the user gave. Whatever else stands there by now, a
    /// successor's link included, stays. What cannot be removed is told rather than thrown: a link that leads nowhere is not
    /// worth a process that cannot be ended.
    /// </summary>
    /// <returns>What could not be removed.</returns>
    private static List<string> RemoveLinks(RunFolder folder, ImmutableArray<string> kept)
    {
        var failures = new List<string>();
        foreach (var path in Links(folder).Where(p => Path.IsPathRooted(p) && !kept.Contains(p)))
        {
            try
            {
                if (new FileInfo(path).LinkTarget?.StartsWith($"{folder.Path}/", StringComparison.Ordinal) is true)
                {
                    DurableFile.Remove(path);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                failures.Add($"link {path} not removed ({e.Message})");
            }
        }

        return failures;
    }

    /// <summary>
    /// Removes the files that were its RAM. What fails once is tried again, since nobody comes back for it; one that its file system does
    /// not let go is found by <c>check</c>, by its name.
    /// </summary>
    /// <returns>What could not be removed.</returns>
    private static IEnumerable<string> RemoveRam(ShortId process, StepContext context) =>
        ((string[])[context.Folder.Ram(process), context.Folder.PrivateRam(process)])
            .Select(path => TryRemove(path) is null || TryRemove(path) is not { } e ? null : $"RAM {path} not removed ({e.Message})")
            .OfType<string>();

    private static FileException? TryRemove(string path)
    {
        try
        {
            DurableFile.Remove(path);
            return null;
        }
        catch (FileException e)
        {
            return e;
        }
    }

    private static string[] Links(RunFolder folder)
    {
        try
        {
            return DurableFile.ReadTextBounded(folder.Links, MaximumLinksBytes).Split('\0');
        }
        catch (FileException)
        {
            // There are none, or the file is damaged: they lead nowhere from now on, and the next start replaces them.
            return [];
        }
    }

    /// <summary>QEMU closes its images when it is asked to quit; one that hangs is not waited for.</summary>
    private static async Task<bool> QuitsAsync(RunProcess process, RunFolder folder, CancellationToken cancellation)
    {
        try
        {
            await using var qmp = await process.ConnectAsync(folder.Commands, "QEMU", s_patience, cancellation);
            await qmp.ExecuteAsync("quit", null, cancellation);
        }
        catch (Exception e) when (e is CoppiceException or QmpRefusalException)
        {
            // It hangs, or it ended before it had answered.
        }

        return await process.WaitForEndAsync(s_patience, cancellation);
    }
}
