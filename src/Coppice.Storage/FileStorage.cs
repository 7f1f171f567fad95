using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Files;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>
/// Layers as files: raw or qcow2 images that a user brought, qcow2 overlays on top of them. Formats come from records;
/// chains are checked by the native reader before anybody opens an image.
/// </summary>
public sealed class FileStorage : IStorage
{
    private readonly OverlaySteps _overlays;

    /// <summary>Makes the backend.</summary>
    /// <param name="time">Measures time limits.</param>
    public FileStorage(TimeProvider time) => _overlays = new OverlaySteps(new QemuImg(time));

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
            // The records state every format and the block graph is spelled out, so a header may leave its parent's unsaid.
            var recorded = chain.Select(l => new RecordedLayer(l.Path, l.Format.ToImages()) { ParentFormatDeclared = true });
            var folders = new AllowedFolders(chain.Select(l => Path.GetDirectoryName(l.Path)!));
            ImageErrors.Guard($"disk '{chain[0].Disk}'", () => ImageChain.Check([.. recorded], folders));
        },
        cancellation);

    /// <inheritdoc/>
    public Task<LayerObservation> ObserveAsync(DomainFolder folder, Layer layer, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(folder);
        ArgumentNullException.ThrowIfNull(layer);
        return Task.Run(
            () =>
            {
                var overlays = OverlayPlacement.FolderFor(folder, layer);
                return new LayerObservation
                {
                    Layer = layer.Id,
                    Exists = File.Exists(layer.Path),
                    IsEmpty = layer.Origin is LayerOrigin.Coppice && IsEmpty(layer),
                    OverlayFolder = overlays,
                    Free = new ByteCount(DurableFolder.FreeBytes(overlays)),
                    FreeForMemory = new ByteCount(DurableFolder.FreeBytes(folder.MemoryFolder)),
                };
            },
            cancellation);
    }

    /// <inheritdoc/>
    public Task<ImmutableDictionary<string, FileObservation>> ObserveFilesAsync(
        IEnumerable<string> paths, CancellationToken cancellation) => Task.Run(
        () => (
            from path in paths.Distinct(StringComparer.Ordinal)
            let found = FileSystem.Look(path)
            where found is not null
            select KeyValuePair.Create(path, new FileObservation(found.Identity, new ByteCount(found.AllocatedBytes))))
            .ToImmutableDictionary(),
        cancellation);

    /// <inheritdoc/>
    public Step CreateOverlay(Layer overlay, Layer backing) => OverlaySteps.Create(overlay, backing);

    /// <inheritdoc/>
    public Step Remove(string path, ByteCount bytes) => FileSteps.Remove(path, bytes);

    /// <inheritdoc/>
    public Step WriteFile(string path, string content) => FileSteps.Write(path, content);

    /// <inheritdoc/>
    public async Task<StepReport> ApplyAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        switch (step.Kind)
        {
            case OverlaySteps.CreateKind:
                await _overlays.ApplyAsync(step.Read(StorageJson.Default.OverlayArguments), cancellation).ConfigureAwait(false);
                break;
            case FileSteps.RemoveKind:
                FileSteps.Remove(step.Read(StorageJson.Default.RemoveArguments));
                break;
            case FileSteps.WriteKind:
                await FileSteps.WriteAsync(step.Read(StorageJson.Default.WriteArguments), cancellation).ConfigureAwait(false);
                break;
            default:
                throw UnknownKind(step);
        }

        return StepReport.Nothing;
    }

    /// <inheritdoc/>
    public Task UndoAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        switch (step.Kind)
        {
            case OverlaySteps.CreateKind:
                OverlaySteps.Undo(step.Read(StorageJson.Default.OverlayArguments));
                break;
            case FileSteps.WriteKind:
                FileSteps.UndoWrite(step.Read(StorageJson.Default.WriteArguments));
                break;
            case FileSteps.RemoveKind:
                break;
            default:
                throw UnknownKind(step);
        }

        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task<StepOutcome> ProbeAsync(Step step, StepContext context, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(step);
        return Task.FromResult(step.Kind switch
        {
            OverlaySteps.CreateKind => OverlaySteps.Probe(step.Read(StorageJson.Default.OverlayArguments)),
            FileSteps.RemoveKind => FileSteps.Probe(step.Read(StorageJson.Default.RemoveArguments)),
            FileSteps.WriteKind => FileSteps.Probe(step.Read(StorageJson.Default.WriteArguments)),
            _ => throw UnknownKind(step),
        });
    }

    private static CoppiceException UnknownKind(Step step) =>
        new(ErrorKind.Damaged, $"step {step.Kind}", "this version does not know it", "finish the operation with the version that began it");

    private static bool IsEmpty(Layer layer)
    {
        if (!File.Exists(layer.Path))
        {
            return false;
        }

        return ImageErrors.Guard($"disk '{layer.Disk}'", () =>
        {
            using var image = Qcow2Image.Open(layer.Path);
            return !image.HasAllocatedData();
        });
    }

    private static ImmutableArray<Layer> Discover(DiskDevice disk)
    {
        var path = disk.Source ?? throw new CoppiceException(
            ErrorKind.InvalidInput, $"disk '{disk.Target}'", "has no image", "name one in its <source> element");
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
