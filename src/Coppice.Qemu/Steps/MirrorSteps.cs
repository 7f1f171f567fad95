using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Copies of disks, as jobs of the guest's process. Whether the guest has gone over is noted while its writes wait and both images read the
/// same: whenever power fails, or QEMU is killed, the image that the note speaks for has all that was written.
/// </summary>
internal sealed class MirrorSteps(TimeProvider time)
{
    public const string BeginKind = "qemu.begin-mirror", EndKind = "qemu.end-mirror";

    public static Step Begin(ShortId process, MirrorRequest mirror) => Step.Of(
        BeginKind, $"begin to copy disk {mirror.Disk} to {mirror.Target.Path}", StepUndo.None,
        new BeginMirrorArguments(process, mirror), StepJson.Default.BeginMirrorArguments) with
    {
        Files = [new FileChange(FileEffect.Change, mirror.Target.Path, default)],
    };

    public static Step End(ShortId process, MirrorRequest mirror, MirrorEnd end) => Step.Of(
        EndKind,
        end switch
        {
            MirrorEnd.Pivot => $"let the guest go over to {mirror.Target.Path}",
            MirrorEnd.Keep => $"keep {mirror.Target.Path} as it is now",
            _ => $"let go of {mirror.Target.Path}",
        },
        end is MirrorEnd.Discard ? StepUndo.Exact : StepUndo.None,
        new EndMirrorArguments(process, mirror, end), StepJson.Default.EndMirrorArguments);

    public StepKind BeginStep => new StepKind<BeginMirrorArguments>(StepJson.Default.BeginMirrorArguments, BeginAsync, Undo: null, HasBegunAsync);

    public StepKind EndStep => new StepKind<EndMirrorArguments>(StepJson.Default.EndMirrorArguments, EndAsync, Undo: null, HasEndedAsync);

    private async Task<StepReport> BeginAsync(BeginMirrorArguments begin, StepContext context, CancellationToken cancellation)
    {
        var mirror = begin.Mirror;
        await using var machine = await ConnectAsync(begin.Process, context, cancellation) ?? throw Standstill.Gone(begin.Process);
        if (await MergeJobs.ObserveAsync(machine.Qmp, mirror.Job, cancellation) is not { State: MergeState.Gone })
        {
            return StepReport.Nothing;
        }

        // A guest that was saved and stands still has let go of its images.
        await machine.ReawakenAsync(cancellation);
        var mode = DriveModes.Read(RunFolder.Of(context.Folder.Home, begin.Process)).GetValueOrDefault(mirror.Disk, DriveMode.Default);
        try
        {
            await MirrorJobs.BeginAsync(machine.Qmp, mirror, mode, cancellation);
        }
        catch (QmpRefusalException e)
        {
            throw LaunchErrors.OfImages(e, $"copy of disk '{mirror.Disk}' in {mirror.Target.Path}", [mirror.Target]) ?? (Exception)e;
        }

        return new StepReport { Mechanism = mirror.Kind is MirrorKind.Commit ? "block-commit of the topmost layer" : "blockdev-mirror" };
    }

    private async Task<StepOutcome> HasBegunAsync(BeginMirrorArguments begin, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(begin.Process, context, cancellation);
        return machine is null || await MergeJobs.ObserveAsync(machine.Qmp, begin.Mirror.Job, cancellation) is not { State: MergeState.Gone }
            ? StepOutcome.Done
            : StepOutcome.NotDone;
    }

    private async Task<StepReport> EndAsync(EndMirrorArguments ending, StepContext context, CancellationToken cancellation)
    {
        var (process, mirror, end) = ending;
        var notes = Notes.Of(ending, context);
        await using var machine = await ConnectAsync(process, context, cancellation);
        if (end is MirrorEnd.Discard)
        {
            await (machine is null ? Task.CompletedTask : DiscardAsync(machine, mirror, notes, cancellation));
            return StepReport.Nothing;
        }

        if (machine is null)
        {
            throw Standstill.Gone(process);
        }

        var found = await MergeJobs.ObserveAsync(machine.Qmp, mirror.Job, cancellation);
        if (found.State is not MergeState.Ready)
        {
            return await HasEndedAsync(machine, ending, notes, cancellation) ? StepReport.Nothing : throw new CoppiceException(
                ErrorKind.WrongState, $"copy of disk '{mirror.Disk}' ({mirror.Job})", found.Error is { } why ? $"has failed: {why}" : "has not copied everything yet",
                "see how far it is: coppice job list");
        }

        // While the guest writes: now there is less left to flush.
        await Task.Run(() => DurableFile.Flush(mirror.Target.Path), cancellation);
        notes.Tell();
        var parts = new Stopwatches(time);
        return new StepReport { Warning = await CompleteAsync(machine, ending, notes, parts, cancellation), Timings = parts.Timings };
    }

    /// <summary>Brings to its end what was told to end.</summary>
    /// <returns>What was lost; null if nothing.</returns>
    private async Task<string?> CompleteAsync(
        Machine machine, EndMirrorArguments ending, Notes notes, Stopwatches parts, CancellationToken cancellation)
    {
        var (_, mirror, end) = ending;
        await parts.TimeAsync("copy what is left", () => MirrorJobs.SettleAsync(machine.Qmp, mirror, end, time, cancellation));
        var lost = end is MirrorEnd.Pivot
            ? await DirtyBitmaps.CarryAsync(machine.Qmp, mirror.Source, mirror.Target, fromBelow: false, cancellation)
            : null;
        await parts.TimeAsync("flush, while writes wait", () => Task.Run(() => DurableFile.Flush(mirror.Target.Path), CancellationToken.None));
        await parts.TimeAsync("go over, while writes wait", () => end is MirrorEnd.Pivot
            ? GoOverAsync(machine, mirror, notes)
            : MergeJobs.FinalizeAsync(machine.Qmp, mirror.Job, CancellationToken.None));
        foreach (var layer in end is MirrorEnd.Pivot ? mirror.Left : [mirror.Target])
        {
            await MirrorJobs.CloseAsync(machine.Qmp, layer, CancellationToken.None);
        }

        if (end is MirrorEnd.Keep)
        {
            await Task.Run(() => DurableFile.Flush(mirror.Target.Path), CancellationToken.None);
            await notes.TakeDownAsync();
        }

        return lost;
    }

    /// <summary>It is not left in between: the guest's writes wait.</summary>
    private static async Task GoOverAsync(Machine machine, MirrorRequest mirror, Notes notes)
    {
        await notes.TakeDownAsync();
        try
        {
            await MergeJobs.FinalizeAsync(machine.Qmp, mirror.Job, CancellationToken.None);
        }
        catch (QmpRefusalException)
        {
            notes.Remove();
            throw;
        }
    }

    private async Task DiscardAsync(Machine machine, MirrorRequest mirror, Notes notes, CancellationToken cancellation)
    {
        // The note first: the guest's writes go on as soon as the job has ended.
        notes.Remove();
        await MergeJobs.CancelAsync(machine.Qmp, mirror.Job, time, cancellation);
        if (mirror.Kind is not MirrorKind.Commit)
        {
            await MirrorJobs.CloseAsync(machine.Qmp, mirror.Target, cancellation);
        }
    }

    /// <summary>What was told to end goes on to its end without us, up to where the guest waits for somebody: that is us.</summary>
    private async Task<StepOutcome> HasEndedAsync(EndMirrorArguments ending, StepContext context, CancellationToken cancellation)
    {
        var notes = Notes.Of(ending, context);
        await using var machine = await ConnectAsync(ending.Process, context, cancellation);
        if (ending.End is MirrorEnd.Discard)
        {
            return StepOutcome.NotDone;
        }

        if (machine is null)
        {
            return notes.AreDown ? StepOutcome.Done : StepOutcome.NotDone;
        }

        if (notes.IsTold && await MergeJobs.ObserveAsync(machine.Qmp, ending.Mirror.Job, cancellation) is { State: MergeState.Ready })
        {
            await CompleteAsync(machine, ending, notes, new Stopwatches(time), cancellation);
        }

        return await HasEndedAsync(machine, ending, notes, cancellation) ? StepOutcome.Done : StepOutcome.NotDone;
    }

    private static async Task<bool> HasEndedAsync(Machine machine, EndMirrorArguments ending, Notes notes, CancellationToken cancellation)
    {
        if (ending.End is MirrorEnd.Keep)
        {
            return notes.AreDown;
        }

        return await Machine.NodeOfAsync(machine.Qmp, ending.Mirror.Disk, cancellation) == BlockNodes.NameOf(ending.Mirror.Target.Id);
    }

    private Task<Machine?> ConnectAsync(ShortId process, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, process), time, cancellation);

    /// <summary>What is noted beside the process: that the job was told to end, and that it may count as ended.</summary>
    private sealed record Notes(string Told, string Down)
    {
        public static Notes Of(EndMirrorArguments ending, StepContext context)
        {
            var folder = RunFolder.Of(context.Folder.Home, ending.Process);
            return new Notes(folder.Told(ending.Mirror.Job), folder.Merged(ending.Mirror.Job));
        }

        public bool IsTold => File.Exists(Told);

        public bool AreDown => File.Exists(Down);

        // It need not outlive QEMU.
        public void Tell() => File.WriteAllBytes(Told, []);

        public Task TakeDownAsync() => DurableFile.ReplaceAsync(Down, ReadOnlyMemory<byte>.Empty, CancellationToken.None);

        public void Remove()
        {
            DurableFile.Remove(Down);
            DurableFolder.Flush(Path.GetDirectoryName(Down)!);
        }
    }
}
