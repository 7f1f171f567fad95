using System.Security.Cryptography;
using System.Text;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// Copies of images and memory on a <see cref="FakeHost"/>, and the folders that they go to. Folders and texts are real; images are the
/// host's.
/// </summary>
internal sealed class FakeCopies(FakeHost host)
{
    private const string FileKind = "store.copy-file", ImageKind = "store.copy-image", MakeKind = "store.make-folder",
        SealKind = "store.seal-folder", PublishKind = "store.publish-folder";

    public static Step Copy(FileToCopy file) => Step.Of(FileKind, $"copy {file.Source}", StepUndo.Exact, file, FakeJson.Default.FileToCopy) with
    {
        Files = [new FileChange(FileEffect.Create, file.Path, file.Estimate)],
    };

    public static Step Copy(ImageToCopy image) =>
        Step.Of(ImageKind, $"copy {image.File.Source}", StepUndo.Exact, image, FakeJson.Default.ImageToCopy) with
        {
            Files = [new FileChange(FileEffect.Create, image.File.Path, image.File.Estimate)],
        };

    public static Step Make(string folder) =>
        Step.Of(MakeKind, $"make {folder}", StepUndo.Exact, new RemoveArguments(folder), FakeJson.Default.RemoveArguments);

    public static Step Seal(string folder) =>
        Step.Of(SealKind, $"seal {folder}", StepUndo.Exact, new RemoveArguments(folder), FakeJson.Default.RemoveArguments);

    public static Step Publish(string folder, string name) =>
        Step.Of(PublishKind, $"call it {name}", StepUndo.None, new LinkArguments(folder, name), FakeJson.Default.LinkArguments);

    public PlaceObservation Observe(string folder) =>
        new(Path.Exists(folder), Directory.Exists(Path.GetDirectoryName(folder)), host.Free, TakesClones: false);

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step)
    {
        switch (step.Kind)
        {
            case FileKind:
                Copy(step.Read(FakeJson.Default.FileToCopy), null);
                return true;
            case ImageKind:
                var image = step.Read(FakeJson.Default.ImageToCopy);
                Copy(image.File, image);
                return true;
            case MakeKind:
                DurableFolder.Create(step.Read(FakeJson.Default.RemoveArguments).Path);
                return true;
            case SealKind:
                Sum(step.Read(FakeJson.Default.RemoveArguments).Path);
                return true;
            case PublishKind:
                Move(step.Read(FakeJson.Default.LinkArguments));
                return true;
            default:
                return false;
        }
    }

    /// <summary>Takes a step back if it is one of these.</summary>
    public void Undo(Step step)
    {
        switch (step.Kind)
        {
            case FileKind:
                Remove(step.Read(FakeJson.Default.FileToCopy).Path);
                break;
            case ImageKind:
                Remove(step.Read(FakeJson.Default.ImageToCopy).File.Path);
                break;
            case MakeKind:
                var folder = step.Read(FakeJson.Default.RemoveArguments).Path;
                Inside(folder).ForEach(Remove);
                DurableFolder.Remove(folder);
                if (Directory.Exists(Path.GetDirectoryName(folder)))
                {
                    DurableFolder.Flush(Path.GetDirectoryName(folder)!);
                }

                break;
        }
    }

    /// <summary>Whether a step of these is done; null for any other.</summary>
    public bool? Probe(Step step) => step.Kind switch
    {
        FileKind => IsThere(step.Read(FakeJson.Default.FileToCopy).Path),
        ImageKind => IsThere(step.Read(FakeJson.Default.ImageToCopy).File.Path),
        MakeKind => Directory.Exists(step.Read(FakeJson.Default.RemoveArguments).Path),
        SealKind => File.Exists($"{step.Read(FakeJson.Default.RemoveArguments).Path}/{ExportFolder.Sums}"),
        PublishKind => IsPublished(step.Read(FakeJson.Default.LinkArguments)),
        _ => null,
    };

    private static bool IsPublished(LinkArguments publish)
    {
        var isDone = !Directory.Exists(publish.File) && File.Exists($"{publish.Name}/{ExportFolder.Sums}");
        if (isDone)
        {
            DurableFolder.Flush(Path.GetDirectoryName(publish.Name)!);
        }

        return isDone;
    }

    private void Copy(FileToCopy file, ImageToCopy? image)
    {
        if (IsThere(file.Path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, file.Path, "exists already", "move it away");
        }

        if (!IsThere(file.Source))
        {
            throw new CoppiceException(ErrorKind.NotFound, file.Source, "is missing", "put it back");
        }

        if (host.State.Processes.Values.SelectMany(p => p.Drives).Any(d => d.IsWritable && d.Path == file.Source))
        {
            throw new InvalidOperationException($"{file.Source} is written by a guest, and was to be copied");
        }

        if (file.Sha256 is { } sum && sum != SumOf(file.Source))
        {
            throw new CoppiceException(ErrorKind.Damaged, file.Source, "is not what its checksum is of", "copy it anew");
        }

        host.Act($"create {file.Path}", s => s.Memories.TryGetValue(file.Source, out var memory)
            ? s with { Memories = s.Memories.Add(file.Path, memory with { FirstName = null }) }
            : s with { Images = s.Images.Add(file.Path, Copied(s.Images[file.Source], file, image)) });
    }

    /// <summary>A copy names what it builds on by its name alone, which is beside it.</summary>
    private static FakeImage Copied(FakeImage image, FileToCopy file, ImageToCopy? copy)
    {
        var below = copy is { IsRelinked: true } ? copy.Chain[1].Path
            : image.Backing is { } backing ? $"{Path.GetDirectoryName(file.Path)}/{Path.GetFileName(backing)}"
            : null;
        return copy is not null && below != copy.Chain.ElementAtOrDefault(1)?.Path
            ? throw new CoppiceException(ErrorKind.Damaged, file.Source, $"builds on {below}", "export it again")
            : image with { Backing = below, FirstName = null, Type = StorageType.File };
    }

    private void Sum(string folder)
    {
        var real = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != ExportFolder.Sums);
        var sums = real.Concat(Inside(folder)).ToDictionary(f => Path.GetRelativePath(folder, f), SumOf);
        var path = $"{folder}/{ExportFolder.Sums}";
        DurableFile.Remove(path);
        DurableFile.CreateAsync(path, ExportFolder.FormatSums(sums)).GetAwaiter().GetResult();
    }

    private string SumOf(string path) => Convert.ToHexStringLower(SHA256.HashData(
        host.State.Images.TryGetValue(path, out var image)
            ? Encoding.UTF8.GetBytes($"{string.Join(' ', image.Blocks)} {string.Join(' ', image.Internals)} {Path.GetFileName(image.Backing)}")
            : host.State.Memories.TryGetValue(path, out var memory) ? Encoding.UTF8.GetBytes($"{memory with { FirstName = null }}")
            : File.ReadAllBytes(path)));

    private void Move(LinkArguments publish)
    {
        // One act: what is in a folder has its new name at once.
        FileActs.Before(FileAct.Rename, publish.Name);
        Directory.Move(publish.File, publish.Name);
        var (images, memories) = (host.State.Images, host.State.Memories);
        host.State = host.State with
        {
            Images = images.RemoveRange(Inside(publish.File)).AddRange(
                images.Where(i => IsIn(publish.File, i.Key)).Select(i => KeyValuePair.Create(
                    Renamed(i.Key), i.Value with { Backing = i.Value.Backing is { } b ? Renamed(b) : null }))),
            Memories = memories.RemoveRange(Inside(publish.File)).AddRange(
                memories.Where(m => IsIn(publish.File, m.Key)).Select(m => KeyValuePair.Create(Renamed(m.Key), m.Value))),
        };
        DurableFolder.Flush(Path.GetDirectoryName(publish.Name)!);

        string Renamed(string path) => publish.Name + path[publish.File.Length..];
    }

    private List<string> Inside(string folder) =>
        [.. host.State.Images.Keys.Concat(host.State.Memories.Keys).Where(p => IsIn(folder, p))];

    private static bool IsIn(string folder, string path) => path.StartsWith($"{folder}/", StringComparison.Ordinal);

    private bool IsThere(string path) => host.State.Images.ContainsKey(path) || host.State.Memories.ContainsKey(path);

    private void Remove(string path)
    {
        if (IsThere(path))
        {
            host.Act($"remove {path}", s => s with { Images = s.Images.Remove(path), Memories = s.Memories.Remove(path) });
        }
    }
}
