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
    private const string WriteKind = "store.write";

    private readonly FakeFiles _files = new(host);
    private readonly FakeLayers _layers = new(host);
    private readonly FakeInternals _internals = new(host);
    private readonly FakeSharing _sharing = new(host);
    private readonly FakeCopies _copies = new(host);
    private readonly FakeVolumes _volumes = new(host);

    public string Prefix => "store";

    public Task<ImmutableArray<Layer>> DiscoverAsync(DiskDevice disk, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(disk);
        _files.RequireType(disk.Target, disk.Source!, disk.Type, ErrorKind.InvalidInput);
        var paths = host.State.Chain(disk.Source!).ToArray();
        var layers = paths.Select((path, i) => new Layer
        {
            Id = IdOf(disk.Target, path),
            Disk = disk.Target,
            Path = path,
            Type = _files.Require(path).Type,
            Format = _files.Require(path).Format,
            VirtualSize = _files.Require(path).VirtualSize,
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
            _files.RequireType(layer.Disk, layer.Path, layer.Type, ErrorKind.Forbidden);
            if (layer != chain[0] && layer.Type is StorageType.Block && _files.Require(layer.Path).VirtualSize.Bytes < layer.VirtualSize.Bytes)
            {
                throw new CoppiceException(ErrorKind.Damaged, layer.Path, "has become smaller");
            }
        }

        if (chain[0] is { Inside: not null } top && !_internals.Has(top))
        {
            throw new CoppiceException(ErrorKind.NotFound, $"internal snapshot {top.Inside.Tag} in {top.Path}", "is missing");
        }

        // A layer that a fork shares names what it builds on as the original does.
        return host.State.Chain(paths[0]).Select(host.State.IdentityOf).SequenceEqual(paths.Select(host.State.IdentityOf))
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
            Internals = image is null ? [] :
            [
                .. image.Internals.Select(i => new FoundInternal(
                    i.Key, i.Value.TakenAt, i.Value.Memory is not null, i.Value.Memory is not null, image.VirtualSize)),
            ],
            IsEmpty = layer.Origin is LayerOrigin.Coppice && image is { Blocks.Count: 0 },
            WrittenAt = image is null or { Type: StorageType.Block } ? null : DateTimeOffset.MinValue,
            OverlayFolder = folder.Images(layer.Disk),
            Free = host.Free,
            Capacity = new ByteCount(1L << 40),
            FreeForMemory = new ByteCount(1L << 40),
            CapacityForMemory = new ByteCount(1L << 40),
            FreeBeside = new ByteCount(1L << 40),
        });
    }

    public Task SettleVolumeAsync(HomeFolder home, CancellationToken cancellation) => Task.CompletedTask;

    public Task<MemoryVolume?> ObserveVolumeAsync(HomeFolder home, CancellationToken cancellation) => Task.FromResult(_volumes.Observe(home));

    public Task MakeVolumeAsync(HomeFolder home, NewMemoryVolume volume, CancellationToken cancellation)
    {
        _volumes.Make(home, volume);
        return Task.CompletedTask;
    }

    public Step ClaimRoom(RoomClaim claim) => FakeVolumes.Claim(claim);

    public Task MountVolumeAsync(HomeFolder home, CancellationToken cancellation) => Task.CompletedTask;

    public Task RemoveVolumeAsync(HomeFolder home, CancellationToken cancellation)
    {
        _volumes.Remove(home);
        return Task.CompletedTask;
    }

    public Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation) => Task.FromResult(
        paths.Distinct().Where(_files.Exists).ToImmutableDictionary(
            p => p,
            p => new FileObservation(
                host.State.IdentityOf(p), FakeHost.FileSize, host.State.Images.GetValueOrDefault(p)?.Type ?? default)
            {
                ModifiedAt = _files.ModifiedAt(p),
                Links = host.State.NamesOf(p).Length,
                Length = host.State.Images.GetValueOrDefault(p)?.Type is StorageType.Block ? default : FakeHost.FileSize,
            }));

    public Task<ImmutableDictionary<string, FileObservation>> ListAsync(
        DomainFolder folder, ImmutableArray<Layer> layers, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        string[] places = [$"{folder.Path}/images", folder.MemoryFolder, folder.VolumeFolder, folder.TpmFolder];
        var real = places.Where(Directory.Exists).SelectMany(p => Directory.EnumerateFiles(p, "*", SearchOption.AllDirectories));
        var known = host.State.Images.Keys.Concat(host.State.Memories.Keys).Where(p =>
            folder.IsOwnLayer(p) || places.Any(place => p.StartsWith($"{place}/", StringComparison.Ordinal)));
        return ObserveFilesAsync(known.Concat(real), cancellation);
    }

    public Task<ImageHealth> ExamineAsync(Layer image, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(image);
        var health = _files.Require(image.Path).Health;
        return Task.FromResult(_files.IsWritten(image.Path) && health is not ImageHealth.Sound ? ImageHealth.InUse : health);
    }

    public async Task<DiskDifference> CompareAsync(ImmutableArray<Layer> one, ImmutableArray<Layer> other, CancellationToken cancellation)
    {
        await host.ReadAsync();
        _ = one.Concat(other).Select(l => _files.Require(l.Path)).ToArray();
        var (left, right) = (_files.Read(one[0]), _files.Read(other[0]));
        var differing = left.Keys.Union(right.Keys).Order().Where(b => left.GetValueOrDefault(b) != right.GetValueOrDefault(b));
        return DiskDifference.Of(
            _files.Require(one[0].Path).VirtualSize, _files.Require(other[0].Path).VirtualSize, differing.Select(b => new ByteRange(b, 1)));
    }

    public async Task<string> DigestAsync(Layer layer, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(layer);
        await host.ReadAsync();
        var image = _files.Require(layer.Path);
        var blocks = layer.Inside is { } place ? image.Internals[place.Tag].Blocks : image.Blocks;
        return string.Join(' ', blocks);
    }

    public Task<string> DigestFileAsync(string path, CancellationToken cancellation) =>
        host.State.Memories.TryGetValue(path, out var memory)
            ? Task.FromResult($"{memory}")
            : throw new CoppiceException(ErrorKind.NotFound, path, "is missing", "restore it");

    public Task<SharedPlace> FindPlaceAsync(DomainFolder folder, Layer layer, CancellationToken cancellation) =>
        Task.FromResult(_sharing.PlaceOf(folder, layer));

    public Task<bool> CanLinkAsync(string file, string folder, CancellationToken cancellation) =>
        Task.FromResult(_sharing.CanLink(file, folder));

    public Task<MergeCost> MeasureMergeAsync(Layer lower, Layer upper, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(lower);
        ArgumentNullException.ThrowIfNull(upper);
        var (below, above) = (_files.Require(lower.Path).Blocks, _files.Require(upper.Path).Blocks);
        return Task.FromResult(new MergeCost(
            new ByteCount(above.Count * FakeHost.FileSize.Bytes), new ByteCount(below.Count(b => !above.ContainsKey(b.Key)) * FakeHost.FileSize.Bytes)));
    }

    public Step CreateOverlay(Layer overlay, Layer backing) => FakeLayers.CreateOverlay(overlay, backing);

    public Step CreateImage(Layer image) => FakeLayers.CreateImage(image);

    public Step AdoptOverlay(Layer overlay, ImmutableArray<Layer> below) => FakeLayers.AdoptOverlay(overlay, below);

    public Step CreateVariables(Layer variables, string template) => FakeLayers.CreateVariables(variables, template);

    public Step Resize(Layer layer, ByteCount size) => FakeLayers.Resize(layer, size);

    public Step Relink(Layer layer, Layer from, Layer to) => FakeLayers.Relink(layer, from, to);

    public Step RepairLeaks(Layer image) => FakeLayers.RepairLeaks(image);

    public Step Remove(string path, ByteCount bytes) => FakeLayers.Remove(path, bytes);

    public Step RemoveUnwritten(Layer overlay) => FakeLayers.RemoveUnwritten(overlay);

    public Step CreateInternal(Layer snapshot) => FakeInternals.Create(snapshot);

    public Step ExpectInternal(Layer snapshot) => FakeInternals.Expect(snapshot);

    public Step RemoveInternal(Layer snapshot) => FakeInternals.Remove(snapshot);

    public Step CopyInternal(Layer copy, Layer snapshot, Layer? parent, ByteCount estimate) => FakeInternals.Copy(copy, snapshot, parent);

    public Step Link(string file, string name) => FakeSharing.Link(file, name);

    public Step CopyMemory(MemoryImage memory, Layer? holder, string path, ByteCount estimate) =>
        FakeSharing.CopyMemory(memory, holder, path, estimate);

    public Task<PlaceObservation> ObservePlaceAsync(string folder, CancellationToken cancellation) => Task.FromResult(_copies.Observe(folder));

    public Step MakeFolder(string folder) => FakeCopies.Make(folder);

    public Step CopyFile(FileToCopy file) => FakeCopies.Copy(file);

    public Step CopyImage(ImageToCopy image) => FakeCopies.Copy(image);

    public Step SealFolder(string folder) => FakeCopies.Seal(folder);

    public Step PublishFolder(string folder, string name) => FakeCopies.Publish(folder, name);

    public async Task<byte[]> ReadPlainAsync(string folder, string name, int maximum, CancellationToken cancellation) =>
        File.Exists($"{folder}/{name}")
            ? await File.ReadAllBytesAsync($"{folder}/{name}", cancellation)
            : throw new CoppiceException(ErrorKind.NotFound, $"{folder}/{name}", "does not exist", "name another folder");

    public Step WriteFile(string path, string content) =>
        Step.Of(WriteKind, $"write {path}", StepUndo.Exact, new WriteArguments(path, content), FakeJson.Default.WriteArguments);

    public async Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        if (step.Kind == WriteKind)
        {
            var (path, content) = step.Read(FakeJson.Default.WriteArguments);
            DurableFolder.Create(Path.GetDirectoryName(path)!);
            await DurableFile.CreateAsync(path, content, cancellation);
            return StepReport.Nothing;
        }

        return _volumes.TryApply(step, context) || _internals.TryApply(step) || _sharing.TryApply(step) || _copies.TryApply(step)
            ? StepReport.Nothing
            : _layers.TryApply(step) ?? throw new InvalidOperationException($"{step.Kind} is no step of this storage");
    }

    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        _layers.Undo(step);
        _internals.Undo(step);
        _sharing.Undo(step);
        _copies.Undo(step);
        _volumes.Undo(step);
        if (step.Kind == WriteKind)
        {
            DurableFile.Remove(step.Read(FakeJson.Default.WriteArguments).Path);
        }

        return Task.CompletedTask;
    }

    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        var done = _volumes.Probe(step) ?? _layers.Probe(step) ?? _internals.Probe(step) ?? _sharing.Probe(step) ?? _copies.Probe(step)
            ?? File.Exists(step.Read(FakeJson.Default.WriteArguments).Path);
        return Task.FromResult(done ? StepOutcome.Done : StepOutcome.NotDone);
    }

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
