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

    private const int MaximumNoteBytes = 32;

    // Of one process, so that ending it leaves nothing that sleeps on: bash can wait by itself, dash cannot.
    private const string Timer = """
        exec 8<>guard.in 9<>timer
        read -r -t "$1" -u 9
        mv waiting over && printf 'quit\n' >&8
        """;

    /// <summary>What a process takes that waits, beside its RAM.</summary>
    public static ByteCount Overhead { get; } = new(96L << 20);

    public static Step Take(ShortId process) => Step.Of(
        TakeKind, $"take process {process}, which waits", StepUndo.Compensate, new SpareArguments(process), StepJson.Default.SpareArguments);

    /// <summary>Lets a process wait from now on.</summary>
    public async Task WaitAsync(RunFolder folder, WaitArguments wait, CancellationToken cancellation)
    {
        var note = wait.MemoryBytes.ToString(CultureInfo.InvariantCulture);
        await DurableFile.ReplaceAsync(folder.Waiting, Encoding.UTF8.GetBytes(note), cancellation);
        var seconds = Math.Ceiling(wait.Seconds).ToString(CultureInfo.InvariantCulture);
        await TimerOf(folder).StartAsync("bash", ["-c", Timer, "coppice-timer", seconds], cancellation);
    }

    /// <summary>About how much of the host's memory a process takes that waits; null if it does not, or is gone.</summary>
    public static ByteCount? Memory(RunFolder folder)
    {
        try
        {
            return new ByteCount(long.Parse(DurableFile.ReadTextBounded(folder.Waiting, MaximumNoteBytes), CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is FileException or FormatException or OverflowException)
        {
            return null;
        }
    }

    public StepKind TakeStep => new StepKind<SpareArguments>(StepJson.Default.SpareArguments, TakeAsync, UndoAsync, ProbeAsync);

    private static Task<StepReport> TakeAsync(SpareArguments spare, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, spare.Process);
        if (!IsTaken(folder))
        {
            try
            {
                DurableFile.Rename(folder.Waiting, folder.Taken);
            }
            catch (FileException e)
            {
                throw new CoppiceException(
                    ErrorKind.WrongState, $"process {spare.Process}", "no longer waits: its time was over this moment", "repeat the command", e);
            }
        }

        WakeTimer(folder);
        return Task.FromResult(StepReport.Nothing);
    }

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
