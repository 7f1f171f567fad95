using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;
using Coppice.Storage.Volumes;

namespace Coppice.Storage;

/// <summary>
/// Layers as files: raw or qcow2 images that a user brought, qcow2 overlays on top of them. A raw image can be a block device,
/// too, which nobody but the guest writes to. Formats come from records; chains are checked by the native reader before anybody
/// opens an image.
/// </summary>
public sealed class FileStorage : IStorage
{
    private const int FewFiles = 4;

    private readonly Dictionary<string, StepKind> _kinds;
    private readonly LeakSteps _leaks;
    private readonly VolumeStore _volumes;

    /// <summary>Makes the backend.</summary>
    /// <param name="time">Measures time limits.</param>
    public FileStorage(TimeProvider time)
    {
        var qemuImg = new QemuImg(time);
        var internals = new InternalSteps(qemuImg);
        _leaks = new LeakSteps(qemuImg);
        _volumes = new VolumeStore(time);
        _kinds = new()
        {
            [OverlaySteps.CreateKind] = OverlaySteps.CreateStep,
            [RawSteps.CreateKind] = RawSteps.CreateStep,
            [OverlaySteps.RemoveKind] = OverlaySteps.RemoveStep,
            [OverlaySteps.AdoptKind] = new OverlaySteps(qemuImg).AdoptStep,
            [InternalSteps.CreateKind] = internals.CreateStep,
            [InternalSteps.ExpectKind] = internals.ExpectStep,
            [InternalSteps.RemoveKind] = internals.RemoveStep,
            [InternalSteps.CopyKind] = internals.CopyStep,
            [VariablesSteps.CreateKind] = new VariablesSteps(qemuImg).Kind,
            [RelinkSteps.RelinkKind] = new RelinkSteps(qemuImg).Kind,
            [LinkSteps.LinkKind] = LinkSteps.Kind,
            [MemoryCopySteps.CopyKind] = MemoryCopySteps.Kind,
            [ClaimSteps.ClaimKind] = ClaimSteps.Kind(_volumes),
            [ResizeSteps.ResizeKind] = new ResizeSteps(qemuImg).Kind,
            [LeakSteps.RepairKind] = _leaks.Kind,
            [FileSteps.RemoveKind] = FileSteps.RemoveStep,
            [FileSteps.WriteKind] = FileSteps.WriteStep,
            [CopySteps.FileKind] = CopySteps.FileStep,
            [CopySteps.ImageKind] = new CopySteps(qemuImg).ImageStep,
            [FolderSteps.MakeKind] = FolderSteps.MakeStep,
            [FolderSteps.SealKind] = FolderSteps.SealStep,
            [FolderSteps.PublishKind] = FolderSteps.PublishStep,
        };
    }

    /// <inheritdoc/>
    public string Prefix => "storage";

    /// <inheritdoc/>
    public Task<ImmutableArray<Layer>> DiscoverAsync(DiskDevice disk, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(disk);
        return Task.Run(() => Discover(disk), cancellation);
    }

    /// <inheritdoc/>
    public Task CheckAsync(ImmutableArray<Layer> chain, CancellationToken cancellation) => Task.Run(
        () =>
        {
            CheckedChain.Require($"disk '{chain[0].Disk}'", [.. chain.Select(ImageArguments.Of)]);
            RequireInternal(chain[0]);
            BlockDevices.RequireNotShrunk(chain);
        },
        cancellation);

    /// <inheritdoc/>
    public Task<LayerObservation> ObserveAsync(DomainFolder folder, Layer layer, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(layer);
        return Task.Run(
            () => layer.Type is StorageType.Block ? BlockDevices.Observe(folder, layer) : Observe(folder, layer), cancellation);
    }

    /// <inheritdoc/>
    public Task SettleVolumeAsync(HomeFolder home, CancellationToken cancellation) =>
        Task.Run(() => DurableFolder.FlushFileSystem(home.Volume), cancellation);

    /// <inheritdoc/>
    public Task<MemoryVolume?> ObserveVolumeAsync(HomeFolder home, CancellationToken cancellation) => Task.Run(() => VolumeStore.Observe(home), cancellation);

    /// <inheritdoc/>
    public Task MakeVolumeAsync(HomeFolder home, NewMemoryVolume volume, CancellationToken cancellation) =>
        _volumes.MakeAsync(home, volume, cancellation);

    /// <inheritdoc/>
    public Step ClaimRoom(RoomClaim claim) => ClaimSteps.Claim(claim);

    /// <inheritdoc/>
    public Task MountVolumeAsync(HomeFolder home, CancellationToken cancellation) => _volumes.MountAsync(home, cancellation);

    /// <inheritdoc/>
    public Task RemoveVolumeAsync(HomeFolder home, CancellationToken cancellation) => _volumes.RemoveAsync(home, cancellation);

    /// <inheritdoc/>
    public async Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        string[] all = [.. paths];

        // A few are looked at sooner than another thread begins.
        return all.Length <= FewFiles ? OwnFolders.Look(all) : await Task.Run(() => OwnFolders.Look(all), cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<ImmutableDictionary<string, FileObservation>> ListAsync(
        DomainFolder folder, ImmutableArray<Layer> layers, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return Task.Run(() => OwnFolders.Look(OwnFolders.List(folder, layers)), cancellation);
    }

    /// <inheritdoc/>
    public Task<ImageHealth> ExamineAsync(Layer image, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(image);
        return _leaks.ExamineAsync(image, cancellation);
    }

    /// <inheritdoc/>
    public Task<DiskDifference> CompareAsync(ImmutableArray<Layer> one, ImmutableArray<Layer> other, CancellationToken cancellation) =>
        Task.Run(() => DiskComparer.Compare(one, other, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<string> DigestAsync(Layer layer, CancellationToken cancellation) =>
        Task.Run(() => Digests.Of(layer, cancellation), cancellation);

    /// <inheritdoc/>
    public Task<string> DigestFileAsync(string path, CancellationToken cancellation) => Digests.OfFileAsync(path, cancellation);

    /// <inheritdoc/>
    public Task<SharedPlace> FindPlaceAsync(DomainFolder folder, Layer layer, CancellationToken cancellation) =>
        Task.Run(() => OverlayPlacement.FindShared(folder, layer), cancellation);

    /// <inheritdoc/>
    public Task<bool> CanLinkAsync(string file, string folder, CancellationToken cancellation) =>
        Task.Run(() => OverlayPlacement.TakesLink(file, folder), cancellation);

    /// <inheritdoc/>
    public Step Link(string file, string name) => LinkSteps.Link(file, name);

    /// <inheritdoc/>
    public Step CopyMemory(MemoryImage memory, Layer? holder, string path, ByteCount estimate) =>
        MemoryCopySteps.Copy(memory, holder, path, estimate);

    /// <inheritdoc/>
    public Task<PlaceObservation> ObservePlaceAsync(string folder, CancellationToken cancellation) =>
        Task.Run(() => FolderSteps.Observe(folder), cancellation);

    /// <inheritdoc/>
    public Step MakeFolder(string folder) => FolderSteps.Make(folder);

    /// <inheritdoc/>
    public Step CopyFile(FileToCopy file) => CopySteps.Copy(file);

    /// <inheritdoc/>
    public Step CopyImage(ImageToCopy image) => CopySteps.Copy(image);

    /// <inheritdoc/>
    public Step SealFolder(string folder) => FolderSteps.Seal(folder);

    /// <inheritdoc/>
    public Step PublishFolder(string folder, string name) => FolderSteps.Publish(folder, name);

    /// <inheritdoc/>
    public Task<byte[]> ReadPlainAsync(string folder, string name, int maximum, CancellationToken cancellation) =>
        Task.Run(() => PlainFiles.Read(folder, name, maximum), cancellation);

    /// <inheritdoc/>
    public Step CreateOverlay(Layer overlay, Layer backing) => OverlaySteps.Create(overlay, backing);

    /// <inheritdoc/>
    public Step CreateImage(Layer image)
    {
        ArgumentNullException.ThrowIfNull(image);
        return image.Format is Core.ImageFormat.Qcow2 ? OverlaySteps.CreateAlone(image) : RawSteps.Create(image);
    }

    /// <inheritdoc/>
    public Step AdoptOverlay(Layer overlay, ImmutableArray<Layer> below) => OverlaySteps.Adopt(overlay, below);

    /// <inheritdoc/>
    public Step CreateVariables(Layer variables, string template) => VariablesSteps.Create(variables, template);

    /// <inheritdoc/>
    public Step Resize(Layer layer, ByteCount size) => ResizeSteps.Resize(layer, size);

    /// <inheritdoc/>
    public Step Remove(string path, ByteCount bytes) => FileSteps.Remove(path, bytes);

    /// <inheritdoc/>
    public Step RemoveUnwritten(Layer overlay) => OverlaySteps.RemoveUnwritten(overlay);

    /// <inheritdoc/>
    public Task<MergeCost> MeasureMergeAsync(Layer lower, Layer upper, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(lower);
        ArgumentNullException.ThrowIfNull(upper);
        return Task.Run(
            () => ImageErrors.Guard($"disk '{upper.Disk}'", () =>
            {
                var volume = MergeVolume.Of(ImageArguments.Of(lower).ToRecord(), ImageArguments.Of(upper).ToRecord(), cancellation);
                return new MergeCost(new ByteCount(volume.CommitBytes), new ByteCount(volume.StreamBytes));
            }),
            cancellation);
    }

    /// <inheritdoc/>
    public Step Relink(Layer layer, Layer from, Layer to) => RelinkSteps.Relink(layer, from, to);

    /// <inheritdoc/>
    public Step RepairLeaks(Layer image) => LeakSteps.Repair(image);

    /// <inheritdoc/>
    public Step WriteFile(string path, string content) => FileSteps.Write(path, content);

    /// <inheritdoc/>
    public Step CopyInternal(Layer copy, Layer snapshot, Layer? parent, ByteCount estimate) =>
        InternalSteps.Copy(copy, snapshot, parent, estimate);

    /// <inheritdoc/>
    public Step CreateInternal(Layer snapshot) => InternalSteps.Create(snapshot);

    /// <inheritdoc/>
    public Step ExpectInternal(Layer snapshot) => InternalSteps.Expect(snapshot);

    /// <inheritdoc/>
    public Step RemoveInternal(Layer snapshot) => InternalSteps.Remove(snapshot);

    /// <inheritdoc/>
    public Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation) =>
        StepKind.Of(step, _kinds).ApplyAsync(step, context, cancellation);

    /// <inheritdoc/>
    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation) =>
        StepKind.Of(step, _kinds).UndoAsync(step, context, cancellation);

    /// <inheritdoc/>
    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation) =>
        StepKind.Of(step, _kinds).ProbeAsync(step, context, cancellation);

    private static LayerObservation Observe(DomainFolder folder, Layer layer)
    {
        var overlays = OverlayPlacement.FolderFor(folder, layer);
        return new LayerObservation
        {
            Layer = layer.Id,
            Exists = File.Exists(layer.Path),
            IsEmpty = layer.Origin is LayerOrigin.Coppice && IsEmpty(layer),
            VirtualSize = new ByteCount(SizeOf(layer)),
            Internals = layer.Format is Core.ImageFormat.Qcow2 ? InternalSteps.FoundIn(layer.Path) : [],
            WrittenAt = FileSystem.Look(layer.Path)?.ChangedAt,
            FreeBeside = new ByteCount(DurableFolder.FreeBytes(Path.GetDirectoryName(layer.Path)!)),
            OverlayFolder = overlays,
            Free = new ByteCount(DurableFolder.FreeBytes(overlays)),
            Capacity = new ByteCount(DurableFolder.CapacityBytes(overlays)),
            FreeForMemory = new ByteCount(DurableFolder.FreeBytes(folder.MemoryFolder)),
            CapacityForMemory = new ByteCount(DurableFolder.CapacityBytes(folder.MemoryFolder)),
        };
    }

    private static void RequireInternal(Layer layer)
    {
        if (layer.Inside is { } place && new InternalArguments(layer.Path, place.Tag) is var snapshot && !InternalSteps.IsThere(snapshot))
        {
            throw InternalSteps.Missing(snapshot);
        }
    }

    private static bool IsEmpty(Layer layer)
    {
        // Raw variables that Coppice made are full from the beginning.
        if (layer.Format is not Core.ImageFormat.Qcow2 || !File.Exists(layer.Path))
        {
            return false;
        }

        return ImageErrors.Guard($"disk '{layer.Disk}'", () =>
        {
            using var image = Qcow2Image.Open(layer.Path);
            return !image.HasBeenWritten();
        });
    }

    private static long SizeOf(Layer layer)
    {
        try
        {
            return VirtualSize.Of(layer.Path, layer.Format.ToImages());
        }
        catch (ImageException)
        {
            // Whoever needs the image checks it, and says what is wrong with it.
            return 0;
        }
    }

    private static ImmutableArray<Layer> Discover(DiskDevice disk)
    {
        var path = disk.Source ?? throw new CoppiceException(
            ErrorKind.InvalidInput, $"disk '{disk.Target}'", "has no image", "name one in its <source> element");
        BlockDevices.RequireType(disk, path);
        if (disk.Type is StorageType.Block)
        {
            return [BlockDevices.Discover(disk.Target, path)];
        }

        var folders = new AllowedFolders([Path.GetDirectoryName(path) ?? "/"]);
        var found = ImageErrors.Guard($"disk '{disk.Target}'", () =>
            ImageChain.Discover(new RecordedLayer(path, disk.Format.ToImages()), folders));
        var layers = ImmutableArray.CreateBuilder<Layer>();
        foreach (var image in found.Reverse())
        {
            layers.Insert(0, new Layer
            {
                Id = UserLayerId.Of(disk.Target, image.RealPath),
                Disk = disk.Target,
                Path = image.RealPath,
                Format = image.Format.ToCore(),
                VirtualSize = new ByteCount(image.VirtualSizeBytes),
                Parent = layers.Count == 0 ? null : layers[0].Id,
                Origin = LayerOrigin.User,
            });
        }

        return layers.ToImmutable();
    }
}
