using System.Globalization;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>
/// Makes a folder under a name that only its operation has, seals it with checksums, and gives it its own name in one step: whatever
/// has that name is whole.
/// </summary>
internal static class FolderSteps
{
    public const string MakeKind = "storage.make-folder", SealKind = "storage.seal-folder", PublishKind = "storage.publish-folder";

    private static readonly string[] s_cloning = ["btrfs", "xfs", "bcachefs"];

    public static Step Make(string folder) => Step.Of(
        MakeKind, $"make {folder}", StepUndo.Exact, new FolderArguments(folder), StorageJson.Default.FolderArguments);

    public static Step Seal(string folder) => Step.Of(
        SealKind, $"take the checksums of what is in {folder}", StepUndo.Exact, new FolderArguments(folder),
        StorageJson.Default.FolderArguments) with
    {
        Files = [new FileChange(FileEffect.Create, $"{folder}/{ExportFolder.Sums}", default)],
    };

    public static Step Publish(string folder, string name) => Step.Of(
        PublishKind, $"call {folder} {name}", StepUndo.None, new PublishArguments(folder, name), StorageJson.Default.PublishArguments);

    public static StepKind MakeStep => new StepKind<FolderArguments>(
        StorageJson.Default.FolderArguments,
        (made, _, _) =>
        {
            DurableFolder.Create(made.Path);
            return Task.FromResult(StepReport.Nothing);
        },
        (made, context, _) => OutsidePlace.Undo(made.Path, context, () =>
        {
            DurableFolder.Remove(made.Path);
            var parent = Path.GetDirectoryName(made.Path)!;
            if (Directory.Exists(parent))
            {
                DurableFolder.Flush(parent);
            }
        }),
        (made, _, _) => Task.FromResult(Directory.Exists(made.Path) ? StepOutcome.Done : StepOutcome.NotDone));

    public static StepKind SealStep => new StepKind<FolderArguments>(
        StorageJson.Default.FolderArguments, SealAsync, Undo: null, Probe: null);

    public static StepKind PublishStep => new StepKind<PublishArguments>(
        StorageJson.Default.PublishArguments,
        (publish, _, _) =>
        {
            Rename(publish);
            return Task.FromResult(StepReport.Nothing);
        },
        Undo: null,
        (publish, _, _) => Task.FromResult(Probe(publish)));

    /// <summary>What there is where a folder is to be made.</summary>
    public static PlaceObservation Observe(string folder)
    {
        var parent = Path.GetDirectoryName(folder);
        var near = parent;
        while (near is { Length: > 1 } && !Directory.Exists(near))
        {
            near = Path.GetDirectoryName(near);
        }

        var system = new DriveInfo(near ?? "/");
        return new PlaceObservation(
            Path.Exists(folder) || new FileInfo(folder).LinkTarget is not null,
            Directory.Exists(parent),
            new ByteCount(DurableFolder.FreeBytes(near ?? "/")),
            s_cloning.Contains(system.DriveFormat, StringComparer.Ordinal));
    }

    private static StepOutcome Probe(PublishArguments publish)
    {
        if (Directory.Exists(publish.Path) || !File.Exists($"{publish.Name}/{ExportFolder.Sums}"))
        {
            return StepOutcome.NotDone;
        }

        // Whoever was killed right after the rename has not flushed it.
        DurableFolder.Flush(Path.GetDirectoryName(publish.Name)!);
        return StepOutcome.Done;
    }

    private static void Rename(PublishArguments publish)
    {
        if (Path.Exists(publish.Name))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, publish.Name, "was made by somebody else meanwhile", "name another folder");
        }

        DurableFolder.Rename(publish.Path, publish.Name);
    }

    private static async Task<StepReport> SealAsync(FolderArguments made, StepContext context, CancellationToken cancellation)
    {
        var sums = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(made.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            sums.Add(Path.GetRelativePath(made.Path, file), await Digests.OfFileAsync(file, cancellation).ConfigureAwait(false));
        }

        await DurableFile.CreateAsync($"{made.Path}/{ExportFolder.Sums}", ExportFolder.FormatSums(sums), cancellation).ConfigureAwait(false);
        foreach (var folder in Directory.EnumerateDirectories(made.Path, "*", SearchOption.AllDirectories).Append(made.Path))
        {
            DurableFolder.Flush(folder);
        }

        return new StepReport { Mechanism = string.Create(CultureInfo.InvariantCulture, $"{sums.Count} checksums") };
    }
}
