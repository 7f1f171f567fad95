using System.Text.Json.Nodes;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Merges of two layers, as jobs of a process with or without a guest. What QEMU has copied is partly in its own tables when it
/// says that it is ready: they are written back before the header changes, because QEMU itself does it afterwards, and a kill
/// between the two would lose data.
/// </summary>
internal sealed class MergeSteps(GuestlessProcess guestless, TimeProvider time)
{
    public const string BeginKind = "qemu.begin-merge", HaltKind = "qemu.halt-merge", FinishKind = "qemu.finish-merge";

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    public static Step Begin(ShortId process, MergeRequest merge, bool guestless)
    {
        var pair = MergePair.Of(merge);
        return Step.Of(
            BeginKind, $"begin to merge {pair.Gone.Path} into {pair.Kept.Path}", StepUndo.None,
            new BeginMergeArguments(process, merge, guestless), StepJson.Default.BeginMergeArguments) with
        {
            Files = [new FileChange(FileEffect.Change, pair.Kept.Path, default)],
        };
    }

    public static Step Halt(ShortId process, ShortId job, bool guestless) => Step.Of(
        HaltKind, $"halt merge {job}", StepUndo.Exact, new HaltMergeArguments(process, job, guestless),
        StepJson.Default.HaltMergeArguments);

    public static Step Finish(ShortId process, MergeRequest merge)
    {
        var pair = MergePair.Of(merge);
        var summary = pair.Link is var (layer, names)
            ? $"let {layer.Path} build on {names?.Path ?? "nothing"}"
            : $"let go of {pair.Gone.Path}, all of which is in {pair.Kept.Path}";
        return Step.Of(
            FinishKind, summary, StepUndo.None, new FinishMergeArguments(process, merge),
            StepJson.Default.FinishMergeArguments) with
        {
            Files = pair.Link is var (changed, _) ? [new FileChange(FileEffect.Change, changed.Path, default)] : [],
        };
    }

    public StepKind BeginStep => new StepKind<BeginMergeArguments>(
        StepJson.Default.BeginMergeArguments, BeginAsync, Undo: null, Probe: null);

    public StepKind HaltStep => new StepKind<HaltMergeArguments>(
        StepJson.Default.HaltMergeArguments, HaltAsync, Undo: null, Probe: null);

    public StepKind FinishStep => new StepKind<FinishMergeArguments>(
        StepJson.Default.FinishMergeArguments, FinishAsync, Undo: null, ProbeAsync);

    /// <summary>How far a merge has come, through the monitor for readers.</summary>
    public static async Task<MergeObservation> ObserveAsync(
        RunFolder folder, ShortId job, TimeProvider time, CancellationToken cancellation)
    {
        var process = new RunProcess(folder, ProcessFiles.Qemu, time);
        if (process.Pid is null)
        {
            return MergeObservation.Gone(job);
        }

        try
        {
            await using var qmp = await process.ConnectAsync(folder.Readers, $"merge {job}", s_limit, cancellation);
            return await MergeJobs.ObserveAsync(qmp, job, cancellation);
        }
        catch (CoppiceException)
        {
            if (await process.EndsAsync(cancellation))
            {
                return MergeObservation.Gone(job);
            }

            throw;
        }
    }

    /// <summary>
    /// What stands in the way of beginning, a full disk or a file that must not be written, may stand there for long: it is told,
    /// and the merge waits for whoever comes next.
    /// </summary>
    private async Task<StepReport> BeginAsync(BeginMergeArguments begin, StepContext context, CancellationToken cancellation)
    {
        try
        {
            return await TryBeginAsync(begin, context, cancellation);
        }
        catch (Exception e) when (e is QmpRefusalException or CoppiceException or FileException)
        {
            if (begin.Guestless)
            {
                await guestless.EndAsync(begin.Process, context, cancellation);
            }

            var pair = MergePair.Of(begin.Merge);
            var reason = e is QmpRefusalException refusal ? $"QEMU: {refusal.Description}" : e.Message;
            return new StepReport { Warning = $"{pair.Gone.Path} is not merged into {pair.Kept.Path} yet ({reason})" };
        }
    }

    private async Task<StepReport> TryBeginAsync(BeginMergeArguments begin, StepContext context, CancellationToken cancellation)
    {
        await using var machine = begin.Guestless
            ? await guestless.OpenAsync(begin.Process, begin.Merge.Chain, context, cancellation)
            : await ConnectAsync(begin.Process, context, cancellation);
        if (machine is null)
        {
            return StepReport.Nothing;
        }

        var found = await MergeJobs.ObserveAsync(machine.Qmp, begin.Merge.Job, cancellation);
        if (found.State is MergeState.Running or MergeState.Ready)
        {
            return StepReport.Nothing;
        }

        await MergeJobs.CancelAsync(machine.Qmp, begin.Merge.Job, time, cancellation);

        // A guest that was saved and stands still has let go of its images, and QEMU aborts when it is told to write to one.
        await machine.ReawakenAsync(cancellation);
        await MakeWritableAsync(machine, begin, context, cancellation);
        await MergeJobs.BeginAsync(machine.Qmp, begin.Merge, cancellation);
        return new StepReport { Mechanism = begin.Merge.Direction is MergeDirection.Commit ? "block-commit" : "block-stream" };
    }

    private static async Task MakeWritableAsync(
        Machine machine, BeginMergeArguments begin, StepContext context, CancellationToken cancellation)
    {
        var pair = MergePair.Of(begin.Merge);
        var mode = ModeOf(begin.Process, pair, context);
        foreach (var layer in new[] { pair.Kept, pair.Link?.Layer }.OfType<Layer>().Distinct())
        {
            if (begin.Guestless || layer != begin.Merge.Chain[0])
            {
                await MergeJobs.ReopenAsync(machine.Qmp, BlockNodes.WritableFile(layer, mode), cancellation);
            }
        }

        if (begin.Merge.Direction is MergeDirection.Commit)
        {
            await MergeJobs.ReopenAsync(machine.Qmp, Reopened(pair, readOnly: true, mode), cancellation);
        }
    }

    private async Task<StepReport> HaltAsync(HaltMergeArguments halt, StepContext context, CancellationToken cancellation)
    {
        await using (var machine = await ConnectAsync(halt.Process, context, cancellation))
        {
            if (machine is not null)
            {
                await MergeJobs.CancelAsync(machine.Qmp, halt.Job, time, cancellation);
            }
        }

        if (halt.Guestless)
        {
            await guestless.EndAsync(halt.Process, context, cancellation);
        }

        return StepReport.Nothing;
    }

    private async Task<StepReport> FinishAsync(FinishMergeArguments finish, StepContext context, CancellationToken cancellation)
    {
        var pair = MergePair.Of(finish.Merge);
        var folder = RunFolder.Of(context.Folder.Home, finish.Process);
        await using var machine = await ConnectAsync(finish.Process, context, cancellation);
        var found = machine is null
            ? MergeObservation.Gone(finish.Merge.Job)
            : await MergeJobs.ObserveAsync(machine.Qmp, finish.Merge.Job, cancellation);
        if (found.State is MergeState.Gone && IsFinished(finish, folder))
        {
            await CloseAsync(machine, pair.Gone, cancellation);
            return StepReport.Nothing;
        }

        if (machine is null || found.State is not MergeState.Ready)
        {
            throw new CoppiceException(
                ErrorKind.WrongState, $"merge {finish.Merge.Job}", found.Error is { } why ? $"has failed: {why}" : "is not ready",
                "wait for it: coppice job wait");
        }

        await MergeJobs.SettleAsync(machine.Qmp, finish.Merge.Job, time, cancellation);
        var lost = await DirtyBitmaps.CarryAsync(
            machine.Qmp, pair.Gone, pair.Kept, finish.Merge.Direction is MergeDirection.Stream, cancellation);
        await WriteBackAsync(machine, finish, pair, context, cancellation);
        await MergeJobs.FinalizeAsync(machine.Qmp, finish.Merge.Job, cancellation);
        await FlushAsync(pair, cancellation);
        await DurableFile.ReplaceAsync(folder.Merged(finish.Merge.Job), ReadOnlyMemory<byte>.Empty, cancellation);
        await CloseAsync(machine, pair.Gone, cancellation);
        return new StepReport { Warning = lost };
    }

    /// <summary>
    /// Everything that was copied is in the file, and durable. Most of it is flushed here, while QEMU serves its guest; reopening
    /// then writes QEMU's own tables.
    /// </summary>
    private static async Task WriteBackAsync(
        Machine machine, FinishMergeArguments finish, MergePair pair, StepContext context, CancellationToken cancellation)
    {
        await Task.Run(() => DurableFile.Flush(pair.Kept.Path), cancellation);
        var mode = ModeOf(finish.Process, pair, context);
        await MergeJobs.ReopenAsync(machine.Qmp, Reopened(pair, readOnly: false, mode), cancellation);
        await Task.Run(() => DurableFile.Flush(pair.Kept.Path), cancellation);
    }

    // A commit of QEMU 7.2 copies zeros as if they were data; a stream does not.
    private static JsonObject Reopened(MergePair pair, bool readOnly, DriveMode mode) => BlockNodes.Reopened(
        pair.Kept, pair.BelowKept, readOnly, findsZeros: pair.Direction is MergeDirection.Commit, mode);

    private static Task FlushAsync(MergePair pair, CancellationToken cancellation) => Task.Run(
        () =>
        {
            DurableFile.Flush(pair.Kept.Path);
            if (pair.Link is var (layer, _))
            {
                DurableFile.Flush(layer.Path);
            }
        },
        cancellation);

    private async Task<StepOutcome> ProbeAsync(FinishMergeArguments finish, StepContext context, CancellationToken cancellation)
    {
        var folder = RunFolder.Of(context.Folder.Home, finish.Process);
        await using var machine = await ConnectAsync(finish.Process, context, cancellation);
        var waits = machine is not null
            && await MergeJobs.ObserveAsync(machine.Qmp, finish.Merge.Job, cancellation) is not { State: MergeState.Gone };
        if (waits || !IsFinished(finish, folder))
        {
            return StepOutcome.NotDone;
        }

        await FlushAsync(MergePair.Of(finish.Merge), cancellation);
        return StepOutcome.Done;
    }

    /// <summary>
    /// Whether the header says so. A commit of the topmost layer changes none: what was not noted as finished is not, and is
    /// simply done again.
    /// </summary>
    private static bool IsFinished(FinishMergeArguments finish, RunFolder folder)
    {
        if (File.Exists(folder.Merged(finish.Merge.Job)))
        {
            return true;
        }

        if (MergePair.Of(finish.Merge).Link is not var (layer, names))
        {
            return false;
        }

        try
        {
            using var image = Qcow2Image.Open(layer.Path);
            return image.Header.BackingName == (names is null ? null : LayerFileName.BackingName(layer.Path, names.Path));
        }
        catch (ImageException e)
        {
            throw new CoppiceException(ErrorKind.Damaged, $"image {layer.Path}", e.Problem, e.NextStep, e);
        }
    }

    /// <summary>Closes the layer that went, if it was opened by itself; else it has gone with what built on it.</summary>
    private static Task CloseAsync(Machine? machine, Layer gone, CancellationToken cancellation) =>
        machine is null ? Task.CompletedTask : MirrorJobs.CloseAsync(machine.Qmp, gone, cancellation);

    private static DriveMode ModeOf(ShortId process, MergePair pair, StepContext context) =>
        DriveModes.Read(RunFolder.Of(context.Folder.Home, process)).GetValueOrDefault(pair.Kept.Disk, DriveMode.Default);

    private Task<Machine?> ConnectAsync(ShortId process, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, process), time, cancellation);
}
