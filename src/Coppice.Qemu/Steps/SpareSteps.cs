using System.Globalization;
using System.Text;
using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.Processes;

namespace Coppice.Qemu.Steps;

/// <summary>
/// A process that waits until somebody takes it, and ends by itself if nobody does. A file in its run folder says that it waits. Whoever
/// gives that another name decides: a command that takes the process, or a shell that ends it when its time is over.
/// </summary>
internal sealed class SpareSteps(EndStep end, TimeProvider time)
{
    public const string TakeKind = "qemu.take-spare";

    // Of one process, so that ending it leaves nothing that sleeps on: bash can wait by itself, dash cannot. The room that the RAM was promised
    // is free again, also for other domains, although nobody looks after this one.
    private const string Timer = """
        exec 8<>guard.in 9<>timer
        read -r -t "$1" -u 9
        mv waiting over && printf 'quit\n' >&8 && rm -f -- "$2"
        """;

    /// <summary>What a process takes that waits, beside its RAM.</summary>
    public static ByteCount Overhead { get; } = new(96L << 20);

    public static Step Take(ShortId process) => Step.Of(
        TakeKind, $"take process {process}, which waits", StepUndo.Compensate, new SpareArguments(process), StepJson.Default.SpareArguments);

    /// <summary>Lets a process wait from now on.</summary>
    /// <param name="folder">Its run folder.</param>
    /// <param name="ram">The file that is its RAM; removed with it. Null if it has none.</param>
    /// <param name="wait">How long it waits.</param>
    /// <param name="cancellation">Ends the starting.</param>
    public async Task WaitAsync(RunFolder folder, string? ram, WaitArguments wait, CancellationToken cancellation)
    {
        var note = wait.MemoryBytes.ToString(CultureInfo.InvariantCulture);
        await DurableFile.ReplaceAsync(folder.Waiting, Encoding.UTF8.GetBytes(note), cancellation);
        var seconds = Math.Ceiling(wait.Seconds).ToString(CultureInfo.InvariantCulture);
        await TimerOf(folder).StartAsync("bash", ["-c", Timer, "coppice-timer", seconds, ram ?? ""], cancellation);
    }

    public StepKind TakeStep => new StepKind<SpareArguments>(StepJson.Default.SpareArguments, TakeAsync, UndoAsync, ProbeAsync);

    private async Task<StepReport> TakeAsync(SpareArguments spare, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, spare.Process);
        if (!IsTaken(folder))
        {
            await RequireSoundAsync(spare.Process, folder, cancellation);
            try
            {
                DurableFile.Rename(folder.Waiting, folder.Taken);
            }
            catch (FileException e)
            {
                throw Over(spare.Process, "its time was over this moment", e);
            }
        }

        WakeTimer(folder);
        return StepReport.Nothing;
    }

    /// <summary>It may have stood for hours: whether it still answers has to be known before the old process is left for it.</summary>
    private async Task RequireSoundAsync(ShortId process, RunFolder folder, CancellationToken cancellation)
    {
        await using var machine = await Machine.ConnectAsync(folder, time, cancellation) ?? throw Over(process, "it has ended");
        if (await machine.StatusAsync(cancellation) is not ("paused" or "prelaunch") and var status)
        {
            throw Over(process, $"QEMU says that it is {status}");
        }
    }

    private static CoppiceException Over(ShortId process, string why, Exception? cause = null) => new(
        ErrorKind.WrongState, $"process {process}", $"no longer waits: {why}", "repeat the command; if it fails again, end what waits: coppice snapshot warm DOMAIN SNAPSHOT --count 0", cause);

    /// <summary>There is nothing left for it to do. Nobody waits for its end; whoever ends the process makes sure of that.</summary>
    private static void WakeTimer(RunFolder folder)
    {
        try
        {
            // For reading too: opened for writing alone, a pipe that nobody reads would block.
            using var pipe = new FileStream(folder.Timer, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
            pipe.Write("taken\n"u8);
        }
        catch (IOException)
        {
        }
    }

    private async Task UndoAsync(SpareArguments spare, StepContext context, CancellationToken cancellation)
    {
        if (IsTaken(RunFolder.Of(context.Folder.Home, spare.Process)))
        {
            await end.ApplyAsync(new EndArguments(spare.Process, []), context, cancellation);
        }
    }

    private static Task<StepOutcome> ProbeAsync(SpareArguments spare, StepContext context, CancellationToken cancellation) =>
        Task.FromResult(IsTaken(RunFolder.Of(context.Folder.Home, spare.Process)) ? StepOutcome.Done : StepOutcome.NotDone);

    private static bool IsTaken(RunFolder folder) => File.Exists(folder.Taken);

    private RunProcess TimerOf(RunFolder folder) => new(folder, ProcessFiles.Timer, time);
}
