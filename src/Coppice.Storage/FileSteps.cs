using System.Text;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Storage;

/// <summary>Steps that write or remove a plain file.</summary>
internal static class FileSteps
{
    public const string RemoveKind = "storage.remove";
    public const string WriteKind = "storage.write";

    public static Step Remove(string path, ByteCount bytes) =>
        Step.Of(RemoveKind, $"remove {path}", StepUndo.None, new RemoveArguments(path), StorageJson.Default.RemoveArguments) with
        {
            Files = [new FileChange(FileEffect.Delete, path, bytes)],
        };

    public static Step Write(string path, string content) =>
        Step.Of(WriteKind, $"write {path}", StepUndo.Exact, new WriteArguments(path, content), StorageJson.Default.WriteArguments) with
        {
            Files = [new FileChange(FileEffect.Create, path, new ByteCount(Encoding.UTF8.GetByteCount(content)))],
        };

    public static StepKind RemoveStep => new StepKind<RemoveArguments>(
        StorageJson.Default.RemoveArguments,
        (file, _, _) =>
        {
            Remove(file);
            return Task.FromResult(StepReport.Nothing);
        },
        Undo: null,
        (file, _, _) => Task.FromResult(File.Exists(file.Path) ? StepOutcome.NotDone : StepOutcome.Done));

    public static StepKind WriteStep => new StepKind<WriteArguments>(
        StorageJson.Default.WriteArguments, WriteAsync, UndoWrite, (file, _, _) => Task.FromResult(Probe(file)));

    /// <summary>Removes a file, and the folders that were made for it alone.</summary>
    internal static void Remove(RemoveArguments arguments)
    {
        DurableFile.Remove(arguments.Path);
        var folder = Path.GetDirectoryName(arguments.Path)!;
        if (Directory.Exists(folder))
        {
            DurableFolder.Flush(folder);
        }

        OverlayPlacement.RemoveFolders(arguments.Path);
    }

    private static async Task<StepReport> WriteAsync(WriteArguments arguments, StepContext context, CancellationToken cancellation)
    {
        DurableFolder.Create(Path.GetDirectoryName(arguments.Path)!);
        await DurableFile.CreateAsync(arguments.Path, arguments.Content, cancellation).ConfigureAwait(false);
        return StepReport.Nothing;
    }

    /// <summary>Removes what was written, wholly or in part; a file that somebody else put there stays.</summary>
    private static Task UndoWrite(WriteArguments arguments, StepContext context, CancellationToken cancellation) =>
        OutsidePlace.Undo(arguments.Path, context, () =>
        {
            if (File.Exists(arguments.Path) && IsOurs(arguments))
            {
                DurableFile.Remove(arguments.Path);
            }
        });

    private static StepOutcome Probe(WriteArguments arguments) =>
        File.Exists(arguments.Path) && IsOurs(arguments) ? StepOutcome.Done : StepOutcome.NotDone;

    private static bool IsOurs(WriteArguments arguments)
    {
        var length = Encoding.UTF8.GetByteCount(arguments.Content);
        return new FileInfo(arguments.Path).Length <= length
            && arguments.Content.StartsWith(DurableFile.ReadTextBounded(arguments.Path, length), StringComparison.Ordinal);
    }
}
