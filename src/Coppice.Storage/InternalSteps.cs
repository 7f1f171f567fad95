using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// Internal snapshots of images that no hypervisor writes to: made, removed, and copied out into images of their own. They
/// are looked for with the native reader; qemu-img changes an image only once its chain has been checked.
/// </summary>
internal sealed class InternalSteps(QemuImg qemuImg)
{
    public const string CreateKind = "storage.create-internal", ExpectKind = "storage.expect-internal",
        RemoveKind = "storage.remove-internal", CopyKind = "storage.copy-internal";

    public static Step Create(Layer snapshot) =>
        Of(CreateKind, $"snapshot {snapshot.Disk} inside {snapshot.Path} as {snapshot.Inside!.Tag}", StepUndo.Exact, snapshot);

    public static Step Expect(Layer snapshot) =>
        Of(ExpectKind, $"get ready for {snapshot.Inside!.Tag} inside {snapshot.Path}", StepUndo.Exact, snapshot);

    public static Step Remove(Layer snapshot) =>
        Of(RemoveKind, $"remove {snapshot.Inside!.Tag} from {snapshot.Path}", StepUndo.None, snapshot);

    public static Step Copy(Layer copy, Layer snapshot, Layer? parent, ByteCount estimate)
    {
        var backing = parent is null ? null : LayerFileName.BackingName(copy.Path, parent.Path);
        var image = new OverlayArguments(copy.Path, backing, parent?.Format ?? default, copy.VirtualSize.Bytes);
        return Step.Of(
            CopyKind, $"copy {snapshot.Inside!.Tag} out of {snapshot.Path} for {copy.Disk}", StepUndo.UnlessSwitched,
            new CopyArguments(image, ArgumentsOf(snapshot), parent?.Path, parent?.Type ?? default),
            StorageJson.Default.CopyArguments) with
        {
            Files = [new FileChange(FileEffect.Create, copy.Path, estimate)],
        };
    }

    public StepKind CreateStep => new StepKind<InternalArguments>(
        StorageJson.Default.InternalArguments, CreateAsync, (s, _, cancellation) => TakeBackAsync(s, cancellation), Probe);

    public StepKind ExpectStep => new StepKind<InternalArguments>(
        StorageJson.Default.InternalArguments, ExpectAsync, (s, _, cancellation) => TakeBackAsync(s, cancellation), Probe: null);

    public StepKind RemoveStep => new StepKind<InternalArguments>(
        StorageJson.Default.InternalArguments, (s, _, cancellation) => RemoveKeepingTimeAsync(s, cancellation), Undo: null,
        (s, _, _) => Task.FromResult(IsThere(s) ? StepOutcome.NotDone : StepOutcome.Done));

    public StepKind CopyStep => new StepKind<CopyArguments>(
        StorageJson.Default.CopyArguments,
        CopyAsync,
        (copy, _, _) => NewImage.UndoAsync(copy.Copy.Path, IsCopy(copy)),
        (copy, _, _) => NewImage.ProbeAsync(copy.Copy.Path, IsCopy(copy)));

    /// <summary>Whether an image has the internal snapshot; one that is gone has none.</summary>
    /// <exception cref="CoppiceException">The image cannot be read.</exception>
    public static bool IsThere(InternalArguments snapshot) => File.Exists(snapshot.Path) && ImageErrors.Guard(snapshot.Path, () =>
    {
        using var image = Qcow2Image.Open(snapshot.Path);
        return image.ReadSnapshots().Any(s => s.Name == snapshot.Tag);
    });

    /// <summary>The internal snapshots that an image holds, for information: none if they cannot be read.</summary>
    public static ImmutableArray<FoundInternal> FoundIn(string path)
    {
        try
        {
            using var image = Qcow2Image.Open(path);
            return
            [
                .. image.ReadSnapshots().Select(s => new FoundInternal(
                    s.Name, s.TakenAt, s.HasVmState, s.HasVmState || s.VmClockNanoseconds > 0, new ByteCount(s.DiskSizeBytes))),
            ];
        }
        catch (ImageException)
        {
            return [];
        }
    }

    /// <summary>An internal snapshot that is needed is not there.</summary>
    public static CoppiceException Missing(InternalArguments snapshot) => new(
        ErrorKind.NotFound, $"internal snapshot {snapshot.Tag} in {snapshot.Path}", "is missing",
        "something else has removed it; revert to another snapshot, or restore the image from a backup");

    private static InternalArguments ArgumentsOf(Layer snapshot) => new(snapshot.Path, snapshot.Inside!.Tag);

    private static Step Of(string kind, string summary, StepUndo undo, Layer snapshot) =>
        Step.Of(kind, summary, undo, ArgumentsOf(snapshot), StorageJson.Default.InternalArguments) with
        {
            Files = [new FileChange(FileEffect.Change, snapshot.Path, default)],
        };

    private static Func<Qcow2Image, bool> IsCopy(CopyArguments copy) => image =>
        image.Header.BackingName == copy.Copy.BackingName;

    private static Task<StepReport> ExpectAsync(InternalArguments snapshot, StepContext context, CancellationToken cancellation) =>
        IsThere(snapshot) ? throw Taken(snapshot) : Task.FromResult(StepReport.Nothing);

    private static Task<StepOutcome> Probe(InternalArguments snapshot, StepContext context, CancellationToken cancellation) =>
        Task.FromResult(IsThere(snapshot) ? StepOutcome.Done : StepOutcome.NotDone);

    private async Task<StepReport> CreateAsync(InternalArguments snapshot, StepContext context, CancellationToken cancellation)
    {
        await ExpectAsync(snapshot, context, cancellation).ConfigureAwait(false);
        await qemuImg.CreateSnapshotAsync(snapshot, cancellation).ConfigureAwait(false);
        DurableFile.Flush(snapshot.Path);
        return StepReport.Nothing;
    }

    private Task<StepReport> RemoveKeepingTimeAsync(InternalArguments snapshot, CancellationToken cancellation) =>
        KeptTime.WhileAsync(snapshot.Path, () => RemoveAsync(snapshot, cancellation));

    private async Task RemoveAsync(InternalArguments snapshot, CancellationToken cancellation)
    {
        if (IsThere(snapshot))
        {
            await qemuImg.DeleteSnapshotAsync(snapshot, cancellation).ConfigureAwait(false);
            DurableFile.Flush(snapshot.Path);
        }
        else if (File.Exists(snapshot.Path) && await qemuImg.TryRepairAsync(snapshot.Path, cancellation).ConfigureAwait(false))
        {
            // Somebody was killed in the middle, perhaps: the entry of the table goes first, its clusters after it.
            DurableFile.Flush(snapshot.Path);
        }
    }

    /// <summary>
    /// A kill in the middle leaves clusters that nobody uses, at worst wrong reference counts: both are mended before anybody
    /// writes to the image again. While a process has it open, that process knows better than the file.
    /// </summary>
    private async Task TakeBackAsync(InternalArguments snapshot, CancellationToken cancellation)
    {
        if (!File.Exists(snapshot.Path) || !await qemuImg.TryRepairAsync(snapshot.Path, cancellation).ConfigureAwait(false))
        {
            return;
        }

        await RemoveAsync(snapshot, cancellation).ConfigureAwait(false);
        DurableFile.Flush(snapshot.Path);
    }

    private async Task<StepReport> CopyAsync(CopyArguments copy, StepContext context, CancellationToken cancellation)
    {
        await NewImage.MakeAsync(copy.Copy.Path, partial => qemuImg.CopySnapshotAsync(partial, copy, cancellation)).ConfigureAwait(false);
        return new StepReport
        {
            Mechanism = "copied by qemu-img convert", Written = new ByteCount(FileSystem.Look(copy.Copy.Path)?.AllocatedBytes ?? 0),
        };
    }

    private static CoppiceException Taken(InternalArguments snapshot) => new(
        ErrorKind.AlreadyExists, $"internal snapshot {snapshot.Tag} in {snapshot.Path}", "is there already", "try again");
}
