using Coppice.Core;
using Coppice.Files;
using Coppice.Qemu.BlockGraph;
using Coppice.Qemu.Processes;
using Coppice.Qemu.Qmp;

namespace Coppice.Qemu.Steps;

/// <summary>
/// Copies of disks, as jobs of the guest's process. That the guest has gone over is noted while its writes wait and both images read the
/// same: whenever power fails, or QEMU is killed, the image that the note speaks for has all that was written.
/// </summary>
internal sealed class MirrorSteps(TimeProvider time)
{
    public const string BeginKind = "qemu.begin-mirror", EndKind = "qemu.end-mirror", LetGoKind = "qemu.let-go-of-mirror",
        DiscardKind = "qemu.discard-mirror";

    public static Step Begin(ShortId process, MirrorRequest mirror) => Of(
        BeginKind, $"begin to copy disk {mirror.Disk} to {mirror.Target.Path}", StepUndo.None, process, mirror) with
    {
        Files = [new FileChange(FileEffect.Change, mirror.Target.Path, default)],
    };

    public static Step End(ShortId process, MirrorRequest mirror, MirrorEnd end) => Step.Of(
        EndKind, end is MirrorEnd.Pivot ? $"let the guest go over to {mirror.Target.Path}" : $"keep {mirror.Target.Path} as it is now", StepUndo.None,
        new EndMirrorArguments(process, mirror, end), StepJson.Default.EndMirrorArguments);

    public static Step LetGo(ShortId process, MirrorRequest mirror) =>
        Of(LetGoKind, $"close what disk {mirror.Disk} is on no more", StepUndo.None, process, mirror);

    public static Step Discard(ShortId process, MirrorRequest mirror) => Of(DiscardKind, $"let go of {mirror.Target.Path}", StepUndo.Exact, process, mirror);

    public StepKind BeginStep => new StepKind<MirrorArguments>(StepJson.Default.MirrorArguments, BeginAsync, Undo: null, HasBegunAsync);

    public StepKind EndStep => new StepKind<EndMirrorArguments>(StepJson.Default.EndMirrorArguments, EndAsync, Undo: null, HasEndedAsync);

    public StepKind LetGoStep => new StepKind<MirrorArguments>(StepJson.Default.MirrorArguments, LetGoAsync, Undo: null, Probe: null);

    public StepKind DiscardStep => new StepKind<MirrorArguments>(StepJson.Default.MirrorArguments, DiscardAsync, Undo: null, Probe: null);

    private static Step Of(string kind, string summary, StepUndo undo, ShortId process, MirrorRequest mirror) =>
        Step.Of(kind, summary, undo, new MirrorArguments(process, mirror), StepJson.Default.MirrorArguments);

    private async Task<StepReport> BeginAsync(MirrorArguments begin, StepContext context, CancellationToken cancellation)
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

    private async Task<StepOutcome> HasBegunAsync(MirrorArguments begin, StepContext context, CancellationToken cancellation)
    {
        await using var machine = await ConnectAsync(begin.Process, context, cancellation);
        return machine is null || await MergeJobs.ObserveAsync(machine.Qmp, begin.Mirror.Job, cancellation) is not { State: MergeState.Gone }
            ? StepOutcome.Done
            : StepOutcome.NotDone;
    }

    private async Task<StepReport> EndAsync(EndMirrorArguments ending, StepContext context, CancellationToken cancellation)
    {
        var (mirror, notes) = (ending.Mirror, Notes.Of(ending.Process, ending.Mirror, context));
        await using var machine = await ConnectAsync(ending.Process, context, cancellation) ?? throw Standstill.Gone(ending.Process);
        var subject = $"copy of disk '{mirror.Disk}' ({mirror.Job})";
        var found = await MergeJobs.ObserveAsync(machine.Qmp, mirror.Job, cancellation);
        if (found.State is not MergeState.Ready)
        {
            return await HasEndedAsync(machine, ending, notes, cancellation) ? StepReport.Nothing : throw new CoppiceException(
                ErrorKind.WrongState, subject, found.Error is { } why ? $"has failed: {why}" : "has not copied everything yet",
                "see how far it is: coppice job list");
        }

        if (!await MirrorJobs.CatchUpAsync(machine.Qmp, mirror.Job, time, cancellation))
        {
            throw new CoppiceException(
                ErrorKind.WrongState, subject, "does not catch up: the guest writes faster than is copied",
                "end it when the guest writes less, or copy it anew with --synchronous");
        }

        // While the guest writes: now there is less left to flush.
        await Task.Run(() => DurableFile.Flush(mirror.Target.Path), cancellation);
        notes.Tell();
        var parts = new Stopwatches(time);
        return new StepReport { Warning = await CompleteOrDiscardAsync(machine, ending, notes, parts), Timings = parts.Timings };
    }

    /// <summary>
    /// Brings to its end what was told to end. If anything fails on the way, the copy is given up, so that the guest goes on: a flush that
    /// has failed is not tried again, since the kernel tells of lost pages once.
    /// </summary>
    /// <returns>What was lost; null if nothing.</returns>
    private async Task<string?> CompleteOrDiscardAsync(Machine machine, EndMirrorArguments ending, Notes notes, Stopwatches parts)
    {
        try
        {
            return await CompleteAsync(machine, ending, notes, parts);
        }
        catch (Exception e) when (e is QmpRefusalException or CoppiceException or FileException or IOException)
        {
            if (!await HasEndedAsync(machine, ending, notes, CancellationToken.None))
            {
                await DiscardAsync(machine, ending.Mirror, notes, CancellationToken.None);
            }

            throw;
        }
    }

    private async Task<string?> CompleteAsync(Machine machine, EndMirrorArguments ending, Notes notes, Stopwatches parts)
    {
        var (_, mirror, end) = ending;
        await parts.TimeAsync("copy what is left", () => MirrorJobs.SettleAsync(machine.Qmp, mirror, end, time));
        var lost = end is MirrorEnd.Pivot
            ? await DirtyBitmaps.CarryAsync(machine.Qmp, mirror.Source, mirror.Target, fromBelow: false, CancellationToken.None)
            : null;
        await parts.TimeAsync("flush, while writes wait", () => Task.Run(() => DurableFile.Flush(mirror.Target.Path)));
        if (end is MirrorEnd.Pivot)
        {
            await notes.PutDownAsync();
        }

        await parts.TimeAsync("go on, while writes wait", () => MergeJobs.FinalizeAsync(machine.Qmp, mirror.Job, CancellationToken.None));
        if (end is MirrorEnd.Keep)
        {
            // What is not noted is given up: QEMU may have written its last tables only now.
            await MirrorJobs.CloseAsync(machine.Qmp, mirror.Target, CancellationToken.None);
            await Task.Run(() => DurableFile.Flush(mirror.Target.Path));
            await notes.PutDownAsync();
        }

        return lost;
    }

    private async Task<StepReport> DiscardAsync(MirrorArguments discard, StepContext context, CancellationToken cancellation)
    {
        var notes = Notes.Of(discard.Process, discard.Mirror, context);
        await using var machine = await ConnectAsync(discard.Process, context, cancellation);
        await (machine is null ? Task.Run(notes.Remove, cancellation) : DiscardAsync(machine, discard.Mirror, notes, cancellation));
        return StepReport.Nothing;
    }

    private async Task DiscardAsync(Machine machine, MirrorRequest mirror, Notes notes, CancellationToken cancellation)
    {
        // The notes first: the guest's writes go on as soon as the job has ended.
        notes.Remove();
        await MergeJobs.CancelAsync(machine.Qmp, mirror.Job, time, cancellation);
        if (mirror.Kind is not MirrorKind.Commit)
        {
            await MirrorJobs.CloseAsync(machine.Qmp, mirror.Target, cancellation);
        }
    }

    private async Task<StepReport> LetGoAsync(MirrorArguments letGo, StepContext context, CancellationToken cancellation)
    {
        await using (var machine = await ConnectAsync(letGo.Process, context, cancellation))
        {
            foreach (var layer in machine is null ? [] : letGo.Mirror.Left)
            {
                // One that the guest is on stays open.
                await MirrorJobs.CloseAsync(machine!.Qmp, layer, cancellation);
            }
        }

        Notes.Of(letGo.Process, letGo.Mirror, context).Remove();
        return StepReport.Nothing;
    }

    /// <summary>What was told to end goes on to its end without us, up to where the guest waits for somebody: that is us.</summary>
    private async Task<StepOutcome> HasEndedAsync(EndMirrorArguments ending, StepContext context, CancellationToken cancellation)
    {
        var notes = Notes.Of(ending.Process, ending.Mirror, context);
        await using var machine = await ConnectAsync(ending.Process, context, cancellation);
        if (machine is null)
        {
            return notes.IsDown ? StepOutcome.Done : StepOutcome.NotDone;
        }

        if (notes.IsTold && await MergeJobs.ObserveAsync(machine.Qmp, ending.Mirror.Job, cancellation) is { State: MergeState.Ready })
        {
            await CompleteOrDiscardAsync(machine, ending, notes, new Stopwatches(time));
        }

        return await HasEndedAsync(machine, ending, notes, cancellation) ? StepOutcome.Done : StepOutcome.NotDone;
    }

    private static async Task<bool> HasEndedAsync(Machine machine, EndMirrorArguments ending, Notes notes, CancellationToken cancellation) =>
        ending.End is MirrorEnd.Keep
            ? notes.IsDown
            : await Machine.NodeOfAsync(machine.Qmp, ending.Mirror.Disk, cancellation) == BlockNodes.NameOf(ending.Mirror.Target.Id);

    private Task<Machine?> ConnectAsync(ShortId process, StepContext context, CancellationToken cancellation) =>
        Machine.ConnectAsync(RunFolder.Of(context.Folder.Home, process), time, cancellation);

    /// <summary>
    /// What is noted: beside the process that the job was told to end, beside the domain that it has ended. The first is nothing without the
    /// process; the second has to outlive it, whoever ends it.
    /// </summary>
    private sealed record Notes(string Told, string Down)
    {
        public static Notes Of(ShortId process, MirrorRequest mirror, StepContext context) => new(
            RunFolder.Of(context.Folder.Home, process).Told(mirror.Job), $"{context.Folder.Path}/mirrored.{mirror.Job}");

        public bool IsTold => File.Exists(Told);

        public bool IsDown => File.Exists(Down);

        public void Tell() => File.WriteAllBytes(Told, []);

        public Task PutDownAsync() => DurableFile.ReplaceAsync(Down, ReadOnlyMemory<byte>.Empty, CancellationToken.None);

        public void Remove()
        {
            DurableFile.Remove(Down);
            DurableFile.Remove(Told);
            DurableFolder.Flush(Path.GetDirectoryName(Down)!);
        }
    }
}
