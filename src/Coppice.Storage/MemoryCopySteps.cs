using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// Copies memory that cannot have a second name: what an internal snapshot holds, which is a migration stream like that in a
/// file, or a file on another file system.
/// </summary>
internal static class MemoryCopySteps
{
    public const string CopyKind = "storage.copy-memory";
    private const int BufferBytes = 1 << 20;

    public static Step Copy(MemoryImage memory, Layer? holder, string path, ByteCount estimate)
    {
        var (source, tag) = holder is { Inside: { } place } ? (holder.Path, place.Tag) : (memory.File!, null);
        return Step.Of(
            CopyKind, $"copy the memory {(tag is null ? $"in {source}" : $"of {tag} in {source}")} to {path}", StepUndo.Exact,
            new MemoryCopyArguments(source, tag, path), StorageJson.Default.MemoryCopyArguments) with
        {
            Files = [new FileChange(FileEffect.Create, path, estimate)],
        };
    }

    public static StepKind Kind => new StepKind<MemoryCopyArguments>(
        StorageJson.Default.MemoryCopyArguments,
        (copy, _, cancellation) => Task.Run(() => Apply(copy, cancellation), cancellation),
        (copy, _, _) =>
        {
            DurableFile.Remove(Partial(copy));
            DurableFile.Remove(copy.Path);
            return Task.CompletedTask;
        },
        (copy, _, _) => Task.FromResult(File.Exists(copy.Path) ? StepOutcome.Done : StepOutcome.NotDone));

    private static StepReport Apply(MemoryCopyArguments copy, CancellationToken cancellation)
    {
        if (File.Exists(copy.Path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, copy.Path, "exists already", "move it away");
        }

        DurableFolder.Create(Path.GetDirectoryName(copy.Path)!);
        DurableFile.Remove(Partial(copy));
        var written = copy.Tag is null ? CopyFile(copy, cancellation) : CopyInternal(copy, copy.Tag, cancellation);
        DurableFile.Flush(Partial(copy));
        DurableFile.Rename(Partial(copy), copy.Path);
        return new StepReport { Mechanism = "memory copied", Written = new ByteCount(written) };
    }

    private static long CopyFile(MemoryCopyArguments copy, CancellationToken cancellation)
    {
        try
        {
            using var source = DurableFile.OpenAt(copy.Source, 0);
            return FileCopy.Copy(source, Partial(copy), null, cancellation).WrittenBytes;
        }
        catch (FileException e) when (e.IsMissing)
        {
            throw new CoppiceException(
                ErrorKind.NotFound, $"memory image {copy.Source}", "is missing", "restore the file, or name another snapshot", e);
        }
    }

    private static long CopyInternal(MemoryCopyArguments copy, string tag, CancellationToken cancellation) => ImageErrors.Guard(copy.Source, () =>
    {
        using var image = Qcow2Image.Open(copy.Source);
        if (image.ReadSnapshots().FirstOrDefault(s => s.Name == tag) is not { HasVmState: true } snapshot)
        {
            throw new CoppiceException(
                ErrorKind.NotFound, $"memory in internal snapshot {tag} of {copy.Source}", "is missing",
                "name another snapshot, or restore the image from a backup");
        }

        using var memory = image.OpenMemory(snapshot);
        return Write(memory, copy, cancellation);
    });

    private static long Write(Stream memory, MemoryCopyArguments copy, CancellationToken cancellation)
    {
        using var target = new FileStream(DurableFile.OpenNew(Partial(copy)), FileAccess.Write);
        var buffer = new byte[BufferBytes];
        while (memory.Read(buffer) is > 0 and var count)
        {
            cancellation.ThrowIfCancellationRequested();
            target.Write(buffer.AsSpan(0, count));
        }

        target.Flush();
        return target.Length;
    }

    private static string Partial(MemoryCopyArguments copy) => copy.Path + ".partial";
}
