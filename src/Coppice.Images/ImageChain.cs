namespace Coppice.Images;

/// <summary>A layer as the caller's records have it.</summary>
/// <param name="Path">The file.</param>
/// <param name="Format">Its format.</param>
public sealed record RecordedLayer(string Path, ImageFormat Format)
{
    /// <summary>
    /// Whether the user declared the parent's format because this layer's header does not state it. Otherwise the header
    /// has to: tools would probe.
    /// </summary>
    public bool ParentFormatDeclared { get; init; }

    /// <summary>
    /// Whether it is a block device. It is accepted only by the name that the user gave, wherever links lead from there: the
    /// names of logical volumes are links.
    /// </summary>
    public bool IsBlockDevice { get; init; }

    /// <summary>Looks it up, as what it is recorded to be. A device must not be in use by the host.</summary>
    internal PinnedFile Pin()
    {
        if (!IsBlockDevice)
        {
            return PinnedFile.Open(Path);
        }

        var device = PinnedFile.OpenDevice(Path);
        try
        {
            device.RequireUnclaimed();
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }
}

/// <summary>A layer that was found and checked.</summary>
/// <param name="RealPath">The file after all symbolic links. Open this one: its name cannot be read in two ways.</param>
/// <param name="Format">Its format, by record, declaration or the header above it.</param>
/// <param name="VirtualSizeBytes">The disk's size: the header's, or a raw file's length, which QEMU rounds up to 512.</param>
/// <param name="Header">The header of a qcow2 layer, null for a raw one.</param>
public sealed record ChainLayer(string RealPath, ImageFormat Format, long VirtualSizeBytes, Qcow2Header? Header);

/// <summary>
/// Checks chains of backing files before QEMU or qemu-img opens any of them. Both operations look a file up without
/// opening it, open it only once it is known to be a regular file in an allowed place, or the block device that the user named,
/// read only qcow2 metadata, and refuse data files, protocols, encryption, corruption, unknown features, loops and chains that
/// are too deep.
/// </summary>
public static class ImageChain
{
    /// <summary>The longest chain accepted. QEMU's own queries take seconds at 200 layers.</summary>
    public const int MaxDepth = 64;

    /// <summary>
    /// Preflight: checks that the files of a chain are what the records say, each naming the next as its backing file, in
    /// the recorded format, and the last naming none.
    /// </summary>
    /// <param name="layers">The records, top first; each layer's parent is the next in the list.</param>
    /// <param name="allowed">Where all of them must lie.</param>
    /// <returns>The same layers with real paths and sizes.</returns>
    /// <exception cref="ImageException">The chain must not be opened.</exception>
    public static IReadOnlyList<ChainLayer> Check(IReadOnlyList<RecordedLayer> layers, AllowedFolders allowed)
    {
        ArgumentNullException.ThrowIfNull(layers);
        ArgumentNullException.ThrowIfNull(allowed);
        if (layers.Count > MaxDepth)
        {
            throw ChainWalk.TooDeep(layers[0].Path);
        }

        ChainWalk walk = new();
        for (var index = 0; index < layers.Count; index++)
        {
            using var file = layers[index].Pin();
            if (!layers[index].IsBlockDevice && !allowed.Contain(file.RealPath))
            {
                throw new ImageException(ImageFault.Forbidden, file.NamedPath, "it lies outside the allowed folders",
                    "move it into one of them, or allow its folder");
            }

            var layer = walk.Add(file, layers[index].Format);
            RequireRecordedParent(file, layer, layers[index], layers.ElementAtOrDefault(index + 1));
        }

        return walk.Layers;
    }

    /// <summary>
    /// Discovery: follows the backing names of an image that a user brought. The top image is accepted where it is; a
    /// backing file must lie in an allowed folder or be declared, and its format must be stated by the header above it or
    /// be declared.
    /// </summary>
    /// <param name="top">The image the user named, with the format the user gave.</param>
    /// <param name="allowed">Where backing files may lie.</param>
    /// <param name="declared">Backing files that the user vouches for, with their formats.</param>
    /// <returns>The layers, top first.</returns>
    /// <exception cref="ImageException">The chain must not be opened.</exception>
    public static IReadOnlyList<ChainLayer> Discover(
        RecordedLayer top, AllowedFolders allowed, IReadOnlyList<RecordedLayer>? declared = null)
    {
        ArgumentNullException.ThrowIfNull(top);
        ArgumentNullException.ThrowIfNull(allowed);
        return new ChainDiscovery(allowed, declared ?? []).Follow(top);
    }

    private static void RequireRecordedParent(PinnedFile file, ChainLayer layer, RecordedLayer record, RecordedLayer? parent)
    {
        if (layer.Header is not { BackingName: { } name } header)
        {
            if (parent is not null)
            {
                throw Mismatch(file, $"it is recorded to build on {Quoted.Name(parent.Path)}, but names no backing file", parent);
            }

            return;
        }

        // The name first: a protocol or an ambiguous link is refused as such, whatever the records say.
        var path = BackingLink.PathOf(header, file);
        if (parent is null)
        {
            throw Mismatch(file, $"it is recorded to build on nothing, but names the backing file {Quoted.Name(name)}");
        }

        var stated = BackingLink.FormatOf(header, file.NamedPath, record.ParentFormatDeclared ? parent.Format : null);
        if (stated != parent.Format)
        {
            throw Mismatch(file,
                $"its header says that {Quoted.Name(name)} is {stated.Name()}, but it is recorded as {parent.Format.Name()}");
        }

        using var recorded = parent.IsBlockDevice ? PinnedFile.OpenDevice(parent.Path) : PinnedFile.Open(parent.Path);
        using var named = BackingLink.Open(path, file, parent.IsBlockDevice);
        if (named.RealPath != recorded.RealPath)
        {
            throw Mismatch(file, $"its backing file {Quoted.Name(name)} is not the recorded {Quoted.Name(recorded.RealPath)}", parent);
        }
    }

    // A commit, stream or rebase by hand leaves in the image whatever it does not share with the parent that it had.
    private static ImageException Mismatch(PinnedFile file, string problem, RecordedLayer? parent = null) => new(
        ImageFault.Mismatch, file.NamedPath, problem,
        parent is null
            ? "something else has changed the image: restore it, or define the domain anew from it"
            : "something else has changed the image: if it was streamed, rebased or committed around, put the link back when "
                + $"nothing runs: qemu-img rebase -u -F {parent.Format.Name()} -b {Quoted.Name(parent.Path)} "
                + $"{Quoted.Name(file.NamedPath)}; else restore it");
}
