using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Guards;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>Ends a process and removes its run folder.</summary>
internal sealed class EndStep(GuardPost guards, TimeProvider time)
{
    private const int MaximumLinksBytes = 1 << 20;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    public async Task<StepReport> ApplyAsync(EndArguments end, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, end.Process);
        var process = new QemuProcess(folder, time);
        if (process.Pid is not null && !await QuitsAsync(process, folder, cancellation))
        {
            await process.KillAsync(cancellation);
        }

        RemoveLinks(folder);
        DurableFolder.Remove(folder.Path);
        if (!guards.KeepsSuccessor(context.Operation))
        {
            await guards.DisarmAsync(context, cancellation);
        }

        return StepReport.Nothing;
    }

    public static Task<StepOutcome> ProbeAsync(EndArguments end, StepContext context, CancellationToken cancellation) =>
        Task.FromResult(
            Directory.Exists(RunFolder.Of(context.Folder.Home, end.Process).Path) ? StepOutcome.NotDone : StepOutcome.Done);

    /// <summary>
    /// Removes the links that lead to its sockets from paths that the user gave. Whatever else stands there by now, a
    /// successor's link included, stays.
    /// </summary>
    private static void RemoveLinks(RunFolder folder)
    {
        if (!File.Exists(folder.Links))
        {
            return;
        }

        foreach (var path in DurableFile.ReadTextBounded(folder.Links, MaximumLinksBytes).Split('\0'))
        {
            if (Path.IsPathRooted(path)
                && new FileInfo(path).LinkTarget?.StartsWith($"{folder.Path}/", StringComparison.Ordinal) is true)
            {
                DurableFile.Remove(path);
            }
        }
    }

    /// <summary>QEMU closes its images when it is asked to quit; one that hangs is not waited for.</summary>
    private static async Task<bool> QuitsAsync(QemuProcess process, RunFolder folder, CancellationToken cancellation)
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
