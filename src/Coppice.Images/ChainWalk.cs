namespace Coppice.Images;

/// <summary>The layers seen so far, and what every layer has to satisfy, however it was reached.</summary>
internal sealed class ChainWalk
{
    private readonly List<ChainLayer> _layers = [];
    private readonly HashSet<FileIdentity> _seen = [];

    public IReadOnlyList<ChainLayer> Layers => _layers;

    /// <summary>Adds a file that may be opened: reads its header if it is qcow2, and refuses what QEMU must not open.</summary>
    public ChainLayer Add(PinnedFile file, ImageFormat format)
    {
        if (!_seen.Add(file.Identity))
        {
            throw new ImageException(ImageFault.Loop, file.NamedPath, "it appears twice in its own chain of backing files",
                "rebase one of the images, or restore it");
        }

        if (_layers.Count == ImageChain.MaxDepth)
        {
            throw TooDeep(_layers[0].RealPath);
        }

        var header = format == ImageFormat.Qcow2 ? ReadHeader(file) : null;
        ChainLayer layer = new(file.RealPath, format, header?.VirtualSizeBytes ?? file.LengthBytes, header);
        _layers.Add(layer);
        return layer;
    }

    public static ImageException TooDeep(string top) => new(ImageFault.TooDeep, top,
        $"its chain has more than {ImageChain.MaxDepth} layers", "merge some of them");

    private static Qcow2Header ReadHeader(PinnedFile file)
    {
        using var stream = file.OpenRead();
        ImageBytes bytes = new(stream, file.NamedPath);
        var header = Qcow2HeaderParser.Parse(bytes);
        Qcow2HeaderRules.RequireReadableTables(header, bytes);
        if (header.Encryption != Qcow2Encryption.None)
        {
            throw bytes.Unsupported($"it is encrypted ({header.Encryption})",
                "convert it with \"qemu-img convert\" to an image without");
        }

        return header;
    }
}
