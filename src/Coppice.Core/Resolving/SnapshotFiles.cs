namespace Coppice.Core;

/// <summary>
/// The files that a snapshot makes, or a copy of a disk. One that was given is used if it is free; the others get names that are never used
/// again (R185, R186).
/// </summary>
internal sealed class SnapshotFiles
{
    private const int LongestPath = 4095;

    private readonly Observed _observed;
    private readonly Dictionary<string, string> _taken = new(StringComparer.Ordinal);

    /// <summary>Notes the files that the domain uses already.</summary>
    public SnapshotFiles(Observed observed, LayerGraph graph)
    {
        _observed = observed;
        // Where a disk was defined is no matter once it is elsewhere; that its layer is, is said below.
        var onLayers = observed.Catalog.Head.Disks.Select(d => d.Target).ToHashSet(StringComparer.Ordinal);
        foreach (var disk in observed.Definition.DisksAndFlash.Where(d => d.Source is not null && !onLayers.Contains(d.Target)))
        {
            _taken[disk.Source!] = $"disk '{disk.Target}'";
        }

        foreach (var layer in graph.All)
        {
            _taken[layer.Path] = $"a layer of disk '{layer.Disk}'";
        }

        foreach (var memory in observed.Catalog.Memories.Where(m => m.File is not null))
        {
            _taken[memory.File!] = "a memory image";
        }
    }

    /// <summary>The memory image of a snapshot: a clone of the RAM if that can be one, and no other file was asked for.</summary>
    /// <param name="given">The file that was asked for; null to have one made.</param>
    /// <exception cref="CoppiceException">It is not absolute or taken.</exception>
    public MemoryImage Memory(string? given) =>
        Memory(given is null && _observed.ClonableRam is not null ? MemoryFormat.Mapped : MemoryFormat.Stream, given);

    /// <summary>The memory image of a domain that is about to be off, perhaps for longer than a volatile volume lasts.</summary>
    public MemoryImage SavedMemory() => _observed.Volume is { IsVolatile: true } ? Memory(MemoryFormat.Stream, null) : Memory(null);

    /// <summary>A memory image of some layout.</summary>
    /// <exception cref="CoppiceException">The file that was asked for is not absolute or taken.</exception>
    public MemoryImage Memory(MemoryFormat format, string? given)
    {
        var (folder, volume) = (_observed.Folder, _observed.Volume);
        var made = $"{folder.MemoryFolderFor(format, volume is not null)}/{Path.GetFileName(folder.Memory(_observed.Ids.NextShort()))}";
        var file = Take("memory file", given ?? made, "this memory image");
        return new MemoryImage
        {
            Mode = MemoryMode.External,
            File = file,
            Format = format,
            IsVolatile = volume is { IsVolatile: true } && volume.Holds(file),

            // A device node that somebody brought (R102) is written to, but must outlive the snapshot.
            Origin = DevicePath.Names(file) ? LayerOrigin.User : LayerOrigin.Coppice,
        };
    }

    /// <summary>The new layer of a disk.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="snapshot">The name of the snapshot.</param>
    /// <param name="reuse">Whether files of disks that one can ask about were made beforehand.</param>
    /// <exception cref="CoppiceException">The file that was asked for is not absolute, taken, a device, or not fit for
    /// use.</exception>
    public NewOverlay Overlay(DiskIntent disk, string snapshot, bool reuse)
    {
        var (target, id) = (disk.Device.Target, _observed.Ids.NextShort());
        if (disk.File is { } asked && DevicePath.Names(asked))
        {
            throw new CoppiceException(
                ErrorKind.InvalidInput, $"file of disk '{target}' '{asked}'", "it is a device, and a new layer is a qcow2 file",
                "name a file elsewhere, or none: it then goes into the domain's folder");
        }

        var isThere = reuse && disk.IsChoice;
        var file = isThere
            ? PreparedOverlay.NameOf(disk, _observed)
            : disk.File ?? $"{OverlayFolder(disk.Head!)}/{LayerFileName.For(target, snapshot, id)}";
        Take($"file of disk '{target}'", file, $"the new layer of disk '{target}'");
        if (isThere)
        {
            PreparedOverlay.Require(disk, file, _observed);
        }

        return new NewOverlay(id, file, isThere);
    }

    /// <summary>The image into which a disk is copied.</summary>
    /// <param name="target">The disk, by target.</param>
    /// <param name="file">The image.</param>
    /// <exception cref="CoppiceException">It is not absolute, or the domain uses it.</exception>
    public string Copy(string target, string file) => Take($"copy of disk '{target}'", file, $"the copy of disk '{target}'");

    private string OverlayFolder(Layer head) => _observed.Layers.TryGetValue(head.Id, out var layer)
        ? layer.OverlayFolder
        : throw new CoppiceException(ErrorKind.Internal, $"layer {head.Id}", "it was not observed before planning");

    private string Take(string thing, string file, string user)
    {
        var subject = $"{thing} '{file}'";
        if (Problem(file) is { } problem)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, subject, problem, "give the full path of a new file");
        }

        return _taken.TryAdd(file, user)
            ? file
            : throw new CoppiceException(ErrorKind.AlreadyExists, subject, $"it is {_taken[file]} already", "give another file");
    }

    private static string? Problem(string file) => file switch
    {
        _ when !file.StartsWith('/') => "it is not an absolute path",
        _ when file.Length > LongestPath => $"it is longer than {LongestPath} characters",
        _ when file.Any(char.IsControl) || !SafeXml.CanHold(file) => "it contains a control character",
        _ when file.EndsWith('/') => "it names a folder",
        _ when Path.GetFullPath(file) != file => "it has empty, '.' or '..' parts",
        _ => null,
    };
}
