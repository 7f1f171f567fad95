using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Contracts.Fakes;

/// <summary>The files of a <see cref="FakeHost"/>: its images and memory images, and what drivers ask of them before they act.</summary>
internal sealed class FakeFiles(FakeHost host)
{
    public bool Exists(string path) =>
        host.State.Images.ContainsKey(path) || host.State.Memories.ContainsKey(path) || File.Exists(path);

    public FakeImage Require(string path) => host.State.Images.GetValueOrDefault(path)
        ?? throw new CoppiceException(ErrorKind.NotFound, $"image {path}", "is missing", "put it back");

    public void RequireType(string disk, string path, StorageType type, ErrorKind kind)
    {
        var image = Require(path);
        if (image.Type != type)
        {
            throw new CoppiceException(kind, $"disk '{disk}', image {path}", $"is kept in a {image.Type}, and not in a {type}");
        }

        if (image.IsMounted)
        {
            throw new CoppiceException(ErrorKind.WrongState, $"disk '{disk}', image {path}", "this host uses it", "unmount it");
        }
    }

    public void RequireUnused(Layer layer)
    {
        if (host.State.Uses(layer.Path))
        {
            throw new CoppiceException(ErrorKind.Storage, layer.Path, "is in use by another process");
        }
    }

    public bool IsWritten(string path) => host.State.Processes.Values.SelectMany(p => p.Drives).Any(d => d.IsWritable && d.Path == path);

    /// <summary>What whoever opens a layer reads.</summary>
    public ImmutableSortedDictionary<int, long> Read(Layer layer) =>
        layer.Inside is { } place ? host.State.Read(layer.Path, place.Tag) : host.State.Read(layer.Path);

    /// <summary>A fake clock that goes on with what guests and merges write.</summary>
    public DateTimeOffset ModifiedAt(string path) => host.Modified.TryGetValue(path, out var at) ? at : DateTimeOffset.UnixEpoch.AddSeconds(
        host.State.Images.TryGetValue(path, out var image) ? image.Blocks.Values.DefaultIfEmpty().Max() + (image.Blocks.Count / 1000.0)
        : host.State.Memories.TryGetValue(path, out var memory) ? memory.Counter
        : 0);

    public void Add(string path, FakeImage image)
    {
        if (host.State.Images.ContainsKey(path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, path, "exists already", "name another file");
        }

        host.Act($"create {path}", s => s with { Images = s.Images.Add(path, image) });
    }

    public void Remove(string path)
    {
        if (host.State.Uses(path))
        {
            throw new InvalidOperationException($"{path} is in use");
        }

        if (host.State.Images.GetValueOrDefault(path) is { Type: StorageType.Block })
        {
            throw new FileException(path, 0, "is a device, and devices are not removed", "");
        }

        var folder = Path.GetDirectoryName(path)!;
        if (File.Exists(path))
        {
            DurableFile.Remove(path);
        }

        if (Directory.Exists(folder))
        {
            DurableFolder.Flush(folder);
        }

        host.Act($"remove {path}", s => s with { Images = s.Images.Remove(path), Memories = s.Memories.Remove(path), Claims = s.Claims.Remove(path) });
    }
}
