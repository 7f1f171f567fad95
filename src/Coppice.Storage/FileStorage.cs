using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// Layers as files: raw or qcow2 images that a user brought, qcow2 overlays on top of them. A raw image can be a block device,
/// too, which nobody but the guest writes to. Formats come from records; chains are checked by the native reader before anybody
/// opens an image.
/// </summary>
public sealed class FileStorage : IStorage
{
    private readonly Dictionary<string, StepKind> _kinds;

    /// <summary>Makes the backend.</summary>
    /// <param name="time">Measures time limits.</param>
    public FileStorage(TimeProvider time)
    {
        var qemuImg = new QemuImg(time);
        var internals = new InternalSteps(qemuImg);
        _kinds = new()
        {
            [OverlaySteps.CreateKind] = new OverlaySteps(qemuImg).Kind,
            [OverlaySteps.RemoveKind] = OverlaySteps.RemoveStep,
            [OverlaySteps.AdoptKind] = new OverlaySteps(qemuImg).AdoptStep,
            [InternalSteps.CreateKind] = internals.CreateStep,
            [InternalSteps.ExpectKind] = internals.ExpectStep,
            [InternalSteps.RemoveKind] = internals.RemoveStep,
            [InternalSteps.CopyKind] = internals.CopyStep,
            [VariablesSteps.CreateKind] = new VariablesSteps(qemuImg).Kind,
            [ResizeSteps.ResizeKind] = new ResizeSteps(qemuImg).Kind,
            [FileSteps.RemoveKind] = FileSteps.RemoveStep,
            [FileSteps.WriteKind] = FileSteps.WriteStep,
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
    public Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation) => Task.Run(
        () => (
            from path in paths.Distinct(StringComparer.Ordinal)
            let found = FileSystem.Look(path)
            where found is not null
            let type = found.Kind is FileKind.BlockDevice ? StorageType.Block : StorageType.File
            select KeyValuePair.Create(path, new FileObservation(found.Identity, new ByteCount(found.AllocatedBytes), type)
            {
                // That of a device is its node's, and says nothing about its content.
                ModifiedAt = type is StorageType.File ? found.ModifiedAt : default,
                Links = found.Links,
            }))
            .ToImmutableDictionary(),
        cancellation);

    /// <inheritdoc/>
    public Step CreateOverlay(Layer overlay, Layer backing) => OverlaySteps.Create(overlay, backing);

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
            Internals = layer.Format is Core.ImageFormat.Qcow2 ? InternalSteps.TagsIn(layer.Path) : [],
            WrittenAt = FileSystem.Look(layer.Path)?.ChangedAt,
            FreeBeside = new ByteCount(DurableFolder.FreeBytes(Path.GetDirectoryName(layer.Path)!)),
            OverlayFolder = overlays,
            Free = new ByteCount(DurableFolder.FreeBytes(overlays)),
            FreeForMemory = new ByteCount(DurableFolder.FreeBytes(folder.MemoryFolder)),
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
