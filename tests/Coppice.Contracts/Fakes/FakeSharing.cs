using Coppice.Core;
using Coppice.Files;

namespace Coppice.Contracts.Fakes;

/// <summary>What a fork gets of its original on a <see cref="FakeHost"/>: second names of frozen files, and copies of memory images.</summary>
internal sealed class FakeSharing(FakeHost host)
{
    private const string LinkKind = "store.link", CopyMemoryKind = "store.copy-memory";

    private readonly FakeFiles _files = new(host);

    public static Step Link(string file, string name) =>
        Step.Of(LinkKind, $"link {file} as {name}", StepUndo.Exact, new LinkArguments(file, name), FakeJson.Default.LinkArguments) with
        {
            Files = [new FileChange(FileEffect.Create, name, default)],
        };

    public static Step CopyMemory(MemoryImage memory, Layer? holder, string path, ByteCount estimate) => Step.Of(
        CopyMemoryKind, $"copy memory to {path}", StepUndo.Exact, new MemoryCopyArguments(memory, holder, path),
        FakeJson.Default.MemoryCopyArguments) with
    {
        Files = [new FileChange(FileEffect.Create, path, estimate)],
    };

    public bool CanLink(string file, string folder) => _files.Exists(file) && AreOnOneMount(file, folder);

    /// <summary>Where a layer's second name would be, and whether it can have one.</summary>
    public SharedPlace PlaceOf(DomainFolder folder, Layer layer)
    {
        var own = folder.Images(layer.Disk);
        return new SharedPlace(own, layer is { Origin: LayerOrigin.Coppice, Inside: null } && AreOnOneMount(layer.Path, own));
    }

    /// <summary>Carries a step out if it is one of these.</summary>
    public bool TryApply(Step step)
    {
        switch (step.Kind)
        {
            case LinkKind:
                Link(step.Read(FakeJson.Default.LinkArguments));
                return true;
            case CopyMemoryKind:
                Copy(step.Read(FakeJson.Default.MemoryCopyArguments));
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
            case LinkKind when step.Read(FakeJson.Default.LinkArguments) is var link && _files.Exists(link.File) && IsLinked(link):
                _files.Remove(step.Read(FakeJson.Default.LinkArguments).Name);
                break;
            case CopyMemoryKind:
                _files.Remove(step.Read(FakeJson.Default.MemoryCopyArguments).Path);
                break;
        }
    }

    /// <summary>Whether a step took effect; null if it is none of these.</summary>
    public bool? Probe(Step step) => step.Kind switch
    {
        LinkKind => IsLinked(step.Read(FakeJson.Default.LinkArguments)),
        CopyMemoryKind => _files.Exists(step.Read(FakeJson.Default.MemoryCopyArguments).Path),
        _ => null,
    };

    private bool AreOnOneMount(string file, string folder) => MountOf(file) == MountOf($"{folder}/x");

    private string MountOf(string path) =>
        host.Mounts.Where(m => path.StartsWith(m + "/", StringComparison.Ordinal)).MaxBy(m => m.Length) ?? "/";

    private bool IsLinked(LinkArguments link) =>
        _files.Exists(link.Name) && host.State.IdentityOf(link.File) == host.State.IdentityOf(link.Name);

    private void Link(LinkArguments link)
    {
        if (!_files.Exists(link.File))
        {
            throw new FileException(link.Name, 2, "does not exist", "");
        }

        if (_files.Exists(link.Name) && !IsLinked(link))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, link.Name, "exists already", "move it away");
        }

        if (_files.IsWritten(link.File))
        {
            throw new InvalidOperationException($"{link.File} is written by a guest, and was to be shared");
        }

        if (!IsLinked(link))
        {
            host.Act($"link {link.Name}", s => s.Linked(link.File, link.Name));
        }
    }

    private void Copy(MemoryCopyArguments copy)
    {
        if (_files.Exists(copy.Path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, copy.Path, "exists already", "move it away");
        }

        var counter = copy.Holder is { } holder
            ? host.State.Images[holder.Path].Internals.GetValueOrDefault(holder.Inside!.Tag)?.Memory
            : host.State.Memories.GetValueOrDefault(copy.Memory.File!)?.Counter;
        var memory = new FakeMemory(
            counter ?? throw new CoppiceException(ErrorKind.NotFound, $"memory for {copy.Path}", "is missing", "name another snapshot"), true)
        {
            Format = copy.Memory.Format,
        };
        host.Act($"create {copy.Path}", s => s with { Memories = s.Memories.Add(copy.Path, memory) });
    }
}
