using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;

namespace Coppice.Contracts.Fakes;

/// <summary>
/// Layers on a <see cref="FakeHost"/>. It refuses what a file system and qemu-img refuse, and one thing more: to take away
/// an image that somebody uses, or an overlay that has been written, because a test should hear of it.
/// </summary>
public sealed class FakeStorage(FakeHost host) : IStorage
{
    public string Prefix => "store";

    public Task<ImmutableArray<Layer>> DiscoverAsync(DiskDevice disk, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(disk);
        RequireType(disk.Target, disk.Source!, disk.Type, ErrorKind.InvalidInput);
        var paths = host.State.Chain(disk.Source!).ToArray();
        var layers = paths.Select((path, i) => new Layer
        {
            Id = IdOf(disk.Target, path),
            Disk = disk.Target,
            Path = path,
            Type = Require(path).Type,
            Format = Require(path).Format,
            VirtualSize = Require(path).VirtualSize,
            Parent = i + 1 < paths.Length ? IdOf(disk.Target, paths[i + 1]) : null,
            Origin = LayerOrigin.User,
        });
        return Task.FromResult(layers.ToImmutableArray());
    }

    public Task CheckAsync(ImmutableArray<Layer> chain, CancellationToken cancellation)
    {
        var paths = chain.Select(l => l.Path).ToArray();
        foreach (var layer in chain)
        {
            RequireType(layer.Disk, layer.Path, layer.Type, ErrorKind.Forbidden);
            if (layer != chain[0] && layer.Type is StorageType.Block && Require(layer.Path).VirtualSize.Bytes < layer.VirtualSize.Bytes)
            {
                throw new CoppiceException(ErrorKind.Damaged, layer.Path, "has become smaller");
            }
        }

        if (chain[0] is { Inside: not null } top && !IsThere(top))
        {
            throw new CoppiceException(ErrorKind.NotFound, $"internal snapshot {top.Inside.Tag} in {top.Path}", "is missing");
        }

        return host.State.Chain(paths[0]).SequenceEqual(paths)
            ? Task.CompletedTask
            : throw new CoppiceException(ErrorKind.Damaged, paths[0], "builds on other images than the catalog says", "put them back");
    }

    public Task<LayerObservation> ObserveAsync(DomainFolder folder, Layer layer, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(layer);
        var image = host.State.Images.GetValueOrDefault(layer.Path);
        return Task.FromResult(new LayerObservation
        {
            Layer = layer.Id,
            Exists = image is not null,
            VirtualSize = image?.VirtualSize ?? default,
            IsEmpty = layer.Origin is LayerOrigin.Coppice && image is { Blocks.Count: 0 },
            WrittenAt = image is null or { Type: StorageType.Block } ? null : DateTimeOffset.MinValue,
            OverlayFolder = folder.Images(layer.Disk),
            Free = new ByteCount(1L << 40),
            FreeForMemory = new ByteCount(1L << 40),
            FreeBeside = new ByteCount(1L << 40),
        });
    }

    public Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation) => Task.FromResult(
        paths.Distinct().Where(IsThere).ToImmutableDictionary(
            p => p,
            p => new FileObservation(
                host.Links.GetValueOrDefault(p, p), FakeHost.FileSize, host.State.Images.GetValueOrDefault(p)?.Type ?? default)
            {
                ModifiedAt = ModifiedAt(p),
                Links = Names(p),
            }));

    public Step CreateOverlay(Layer overlay, Layer backing)
    {
        ArgumentNullException.ThrowIfNull(overlay);
        return Step.Of(
            "store.overlay", $"create {overlay.Path}", StepUndo.UnlessSwitched, new OverlayArguments(overlay, backing),
            FakeJson.Default.OverlayArguments);
    }

    public Step AdoptOverlay(Layer overlay, ImmutableArray<Layer> below) => Step.Of(
        "store.adopt", $"use {overlay?.Path}", StepUndo.Exact, new OverlayArguments(overlay!, below[0]), FakeJson.Default.OverlayArguments);

    public Step CopyInternal(Layer copy, Layer snapshot, Layer? parent, ByteCount estimate)
    {
        ArgumentNullException.ThrowIfNull(copy);
        return Step.Of(
            "store.copy", $"copy {copy.Path}", StepUndo.UnlessSwitched, new CopyArguments(copy, snapshot, parent),
            FakeJson.Default.CopyArguments);
    }

    public Step CreateInternal(Layer snapshot) => Inside("create", StepUndo.Exact, snapshot);

    public Step ExpectInternal(Layer snapshot) => Inside("expect", StepUndo.Exact, snapshot);

    public Step RemoveInternal(Layer snapshot) => Inside("remove", StepUndo.None, snapshot);

    public Step CreateVariables(Layer variables, string template)
    {
        ArgumentNullException.ThrowIfNull(variables);
        return Step.Of(
            "store.variables", $"create {variables.Path}", StepUndo.Exact, new VariablesArguments(variables, template),
            FakeJson.Default.VariablesArguments) with
        {
            Files = [new FileChange(FileEffect.Create, variables.Path, variables.VirtualSize)],
        };
    }

    public Step Resize(Layer layer, ByteCount size) => Step.Of(
        "store.resize", $"grow {layer?.Path}", StepUndo.None, new ResizeArguments(null, layer!, size), FakeJson.Default.ResizeArguments);

    public Step Remove(string path, ByteCount bytes) =>
        Step.Of("store.remove", $"remove {path}", StepUndo.None, new RemoveArguments(path), FakeJson.Default.RemoveArguments) with
        {
            Files = [new FileChange(FileEffect.Delete, path, bytes)],
        };

    public Step RemoveUnwritten(Layer overlay) => Step.Of(
        "store.remove-unwritten", $"remove {overlay?.Path} unless written", StepUndo.None, new RemoveArguments(overlay!.Path),
        FakeJson.Default.RemoveArguments) with
    {
        Files = [new FileChange(FileEffect.Delete, overlay.Path, default)],
    };

    public Step WriteFile(string path, string content) =>
        Step.Of("store.write", $"write {path}", StepUndo.Exact, new WriteArguments(path, content), FakeJson.Default.WriteArguments);

    public async Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        switch (step.Kind)
        {
            case "store.overlay":
                Create(step.Read(FakeJson.Default.OverlayArguments));
                break;
            case "store.adopt":
                Adopt(step.Read(FakeJson.Default.OverlayArguments));
                break;
            case "store.copy":
                Copy(step.Read(FakeJson.Default.CopyArguments));
                break;
            case "store.variables":
                Create(step.Read(FakeJson.Default.VariablesArguments));
                break;
            case "store.create-inside":
                CreateInside(step.Read(FakeJson.Default.Layer));
                break;
            case "store.expect-inside":
                RequireNotThere(step.Read(FakeJson.Default.Layer));
                break;
            case "store.remove-inside":
                RemoveInside(step.Read(FakeJson.Default.Layer));
                break;
            case "store.resize":
                RequireUnused(step.Read(FakeJson.Default.ResizeArguments).Layer);
                host.Grow(step.Read(FakeJson.Default.ResizeArguments));
                break;
            case "store.remove-unwritten":
                var unneeded = step.Read(FakeJson.Default.RemoveArguments).Path;
                if (host.State.Images.GetValueOrDefault(unneeded) is { Blocks.Count: > 0 })
                {
                    return new StepReport { Warning = $"{unneeded} was written to, and stays" };
                }

                Remove(unneeded);
                break;
            case "store.remove":
                Remove(step.Read(FakeJson.Default.RemoveArguments).Path);
                break;
            default:
                var (path, content) = step.Read(FakeJson.Default.WriteArguments);
                DurableFolder.Create(Path.GetDirectoryName(path)!);
                await DurableFile.CreateAsync(path, content, cancellation);
                break;
        }

        return StepReport.Nothing;
    }

    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        switch (step.Kind)
        {
            case "store.overlay" when IsMade(step.Read(FakeJson.Default.OverlayArguments), out var overlay):
                if (host.State.Images[overlay].Blocks.Count > 0)
                {
                    throw new InvalidOperationException($"undoing would lose what was written to {overlay}");
                }

                Remove(overlay);
                break;
            case "store.copy" when host.State.Images.ContainsKey(step.Read(FakeJson.Default.CopyArguments).Copy.Path):
                Remove(step.Read(FakeJson.Default.CopyArguments).Copy.Path);
                break;
            case "store.variables" when IsMade(step.Read(FakeJson.Default.VariablesArguments)):
                Remove(step.Read(FakeJson.Default.VariablesArguments).Variables.Path);
                break;
            case "store.create-inside" or "store.expect-inside" when !host.State.Uses(step.Read(FakeJson.Default.Layer).Path):
                RemoveInside(step.Read(FakeJson.Default.Layer));
                break;
            case "store.write":
                DurableFile.Remove(step.Read(FakeJson.Default.WriteArguments).Path);
                break;
        }

        return Task.CompletedTask;
    }

    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        var done = step.Kind switch
        {
            "store.overlay" => IsMade(step.Read(FakeJson.Default.OverlayArguments), out _),
            "store.adopt" => false,
            "store.copy" => host.State.Images.ContainsKey(step.Read(FakeJson.Default.CopyArguments).Copy.Path),
            "store.variables" => IsMade(step.Read(FakeJson.Default.VariablesArguments)),
            "store.create-inside" or "store.expect-inside" => IsThere(step.Read(FakeJson.Default.Layer)),
            "store.remove-inside" => !IsThere(step.Read(FakeJson.Default.Layer)),
            "store.resize" => host.IsGrown(step.Read(FakeJson.Default.ResizeArguments)),
            "store.remove" => !host.State.Images.ContainsKey(step.Read(FakeJson.Default.RemoveArguments).Path),
            _ => File.Exists(step.Read(FakeJson.Default.WriteArguments).Path),
        };
        return Task.FromResult(done ? StepOutcome.Done : StepOutcome.NotDone);
    }

    private void Create(OverlayArguments arguments)
    {
        var (overlay, backing) = arguments;
        Require(backing.Path);
        if (host.State.Images.ContainsKey(overlay.Path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, overlay.Path, "exists already", "name another file");
        }

        var image = FakeImage.Empty(overlay.Format, backing.Path, overlay.VirtualSize);
        host.Act($"create {overlay.Path}", s => s with { Images = s.Images.Add(overlay.Path, image) });
    }

    private void Adopt(OverlayArguments arguments)
    {
        var (overlay, backing) = arguments;
        RequireUnused(overlay);
        var image = Require(overlay.Path);
        if (image.Backing != backing.Path)
        {
            throw new CoppiceException(ErrorKind.Damaged, overlay.Path, "builds on another image", "make a new one");
        }

        if (image.Blocks.Count > 0 || image.VirtualSize != overlay.VirtualSize)
        {
            throw new CoppiceException(ErrorKind.WrongState, overlay.Path, "was written to", "make a new one");
        }
    }

    private void Create(VariablesArguments arguments)
    {
        var (variables, template) = arguments;
        var content = Require(template);
        if (host.State.Images.ContainsKey(variables.Path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, variables.Path, "exists already", "name another file");
        }

        var image = content with { Format = variables.Format };
        host.Act($"create {variables.Path}", s => s with { Images = s.Images.Add(variables.Path, image) });
    }

    private static Step Inside(string what, StepUndo undo, Layer snapshot) =>
        Step.Of($"store.{what}-inside", $"{what} {snapshot.Inside!.Tag} in {snapshot.Path}", undo, snapshot, FakeJson.Default.Layer) with
        {
            Files = [new FileChange(FileEffect.Change, snapshot.Path, default)],
        };

    private bool IsThere(Layer snapshot) =>
        host.State.Images.TryGetValue(snapshot.Path, out var image) && image.Internals.ContainsKey(snapshot.Inside!.Tag);

    private void RequireNotThere(Layer snapshot)
    {
        if (IsThere(snapshot))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, $"{snapshot.Inside!.Tag} in {snapshot.Path}", "is there already");
        }
    }

    private void RequireUnused(Layer snapshot)
    {
        if (host.State.Uses(snapshot.Path))
        {
            throw new CoppiceException(ErrorKind.Storage, snapshot.Path, "is in use by another process");
        }
    }

    private void CreateInside(Layer snapshot)
    {
        Require(snapshot.Path);
        RequireUnused(snapshot);
        RequireNotThere(snapshot);
        host.Act($"create inside {snapshot.Path}", s => s.With(snapshot.Path, i => i with
        {
            Internals = i.Internals.Add(snapshot.Inside!.Tag, new FakeInternal(i.Blocks, null)),
        }));
    }

    private void RemoveInside(Layer snapshot)
    {
        if (IsThere(snapshot))
        {
            RequireUnused(snapshot);
            host.Act($"remove inside {snapshot.Path}", s => s.WithoutInternal(snapshot.Path, snapshot.Inside!.Tag));
        }
    }

    private void Copy(CopyArguments arguments)
    {
        var (copy, snapshot, parent) = arguments;
        if (!IsThere(snapshot))
        {
            throw new CoppiceException(ErrorKind.NotFound, $"{snapshot.Inside!.Tag} in {snapshot.Path}", "is missing");
        }

        if (host.State.Images.ContainsKey(copy.Path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, copy.Path, "exists already", "name another file");
        }

        var image = new FakeImage(
            copy.Format, parent?.Path, copy.VirtualSize, host.State.Images[snapshot.Path].Internals[snapshot.Inside!.Tag].Blocks);
        host.Act($"create {copy.Path}", s => s with { Images = s.Images.Add(copy.Path, image) });
    }

    private bool IsMade(VariablesArguments arguments) =>
        host.State.Images.TryGetValue(arguments.Variables.Path, out var image) && image.Blocks.SequenceEqual(Require(arguments.Template).Blocks);

    private bool IsMade(OverlayArguments arguments, out string path)
    {
        path = arguments.Overlay.Path;
        return host.State.Images.TryGetValue(path, out var image) && image.Backing == arguments.Backing.Path;
    }

    private void Remove(string path)
    {
        if (host.State.Processes.Values.SelectMany(p => p.Drives).Any(d => host.State.Chain(d.Path).Contains(path)))
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

        host.Act($"remove {path}", s => s with { Images = s.Images.Remove(path), Memories = s.Memories.Remove(path) });
    }

    private bool IsThere(string path) =>
        host.State.Images.ContainsKey(path) || host.State.Memories.ContainsKey(path) || File.Exists(path);

    private void RequireType(string disk, string path, StorageType type, ErrorKind kind)
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

    /// <summary>A fake clock that goes on with what guests write.</summary>
    private DateTimeOffset ModifiedAt(string path) => host.Modified.TryGetValue(path, out var at) ? at : DateTimeOffset.UnixEpoch.AddSeconds(
        host.State.Images.TryGetValue(path, out var image) ? image.Blocks.Values.DefaultIfEmpty().Max()
        : host.State.Memories.TryGetValue(path, out var memory) ? memory.Counter
        : 0);

    private int Names(string path)
    {
        var first = host.Links.GetValueOrDefault(path, path);
        return 1 + host.Links.Count(l => l.Value == first);
    }

    private FakeImage Require(string path) => host.State.Images.GetValueOrDefault(path)
        ?? throw new CoppiceException(ErrorKind.NotFound, $"image {path}", "is missing", "put it back");

    private static ShortId IdOf(string target, string path)
    {
        var hash = 17UL;
        foreach (var c in target + path)
        {
            hash = (hash * 1099511628211UL) ^ c;
        }

        return new ShortId($"{hash:x16}");
    }
}
