namespace Coppice.Images;

/// <summary>Follows backing names downwards. The recursion is at most <see cref="ImageChain.MaxDepth"/> deep.</summary>
internal sealed class ChainDiscovery
{
    private readonly AllowedFolders _allowed;
    private readonly Dictionary<string, ImageFormat> _declared = [];
    private readonly ChainWalk _walk = new();

    public ChainDiscovery(AllowedFolders allowed, IReadOnlyList<RecordedLayer> declared)
    {
        _allowed = allowed;
        foreach (var layer in declared)
        {
            using var file = PinnedFile.Open(layer.Path);
            if (!_declared.TryAdd(file.RealPath, layer.Format) && _declared[file.RealPath] != layer.Format)
            {
                throw new ImageException(ImageFault.Mismatch, layer.Path, "it is declared with two formats", "declare it once");
            }
        }
    }

    public IReadOnlyList<ChainLayer> Follow(RecordedLayer top)
    {
        using var file = top.Pin();
        Follow(file, top.Format);
        return _walk.Layers;
    }

    private void Follow(PinnedFile image, ImageFormat format)
    {
        if (_walk.Add(image, format).Header is not { BackingName: not null } header)
        {
            return;
        }

        using var backing = OpenBacking(BackingLink.PathOf(header, image), image);
        ImageFormat? declared = _declared.TryGetValue(backing.RealPath, out var known) ? known : null;
        Follow(backing, BackingLink.FormatOf(header, image.NamedPath, declared));
    }

    private PinnedFile OpenBacking(string path, PinnedFile image)
    {
        PinnedFile backing;
        try
        {
            backing = BackingLink.Open(path, image);
        }
        catch (ImageException) when (!_allowed.Contain(Path.GetFullPath(path)))
        {
            // One answer for everything outside, so that an image cannot ask which files exist.
            throw Outside(path, image);
        }

        if (_allowed.Contain(backing.RealPath) || _declared.ContainsKey(backing.RealPath))
        {
            return backing;
        }

        backing.Dispose();
        throw Outside(path, image);
    }

    private static ImageException Outside(string path, PinnedFile image) => new(ImageFault.Forbidden, image.NamedPath,
        $"its backing file {Quoted.Name(path)} lies outside the allowed folders",
        "move it into one of them, or declare it with its format");
}
