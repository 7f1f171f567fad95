namespace Coppice.Images;

/// <summary>
/// From a backing file name to a path, in the way QEMU does it: a colon before the first slash makes a protocol
/// (<c>nbd:</c>, <c>json:</c>, <c>blkdebug:</c>, even <c>file:</c>), else the name is relative to the image's folder.
/// </summary>
internal static class BackingLink
{
    /// <summary>The path that the header names. Not normalised: <c>link/..</c> is the kernel's to resolve.</summary>
    public static string PathOf(Qcow2Header header, PinnedFile image)
    {
        var name = header.BackingName ?? throw new InvalidOperationException("There is no backing file name.");
        if (HasProtocol(name))
        {
            throw new ImageException(ImageFault.Forbidden, image.NamedPath,
                $"its backing file is given by a protocol, {Quoted.Name(name)}",
                "if you trust it, rebase it to a plain path with \"qemu-img rebase -u -b\"");
        }

        if (name[0] == '/')
        {
            return name;
        }

        RequireOneFolder(header, image);
        return Path.Join(FolderOf(image.RealPath), name);
    }

    /// <summary>Looks up a backing file; a refusal names the image that leads to it.</summary>
    public static PinnedFile Open(string path, PinnedFile image, bool isBlockDevice = false)
    {
        try
        {
            return isBlockDevice ? PinnedFile.OpenDevice(path) : PinnedFile.Open(path);
        }
        catch (ImageException error)
        {
            throw new ImageException(error.Fault, image.NamedPath,
                $"its backing file {Quoted.Name(path)} is refused: {error.Problem}", error.NextStep, error);
        }
    }

    /// <summary>The backing format as stated, else as declared by the records.</summary>
    public static ImageFormat FormatOf(Qcow2Header header, string imagePath, ImageFormat? declared)
    {
        if (header.BackingFormatName is not { } name)
        {
            return declared ?? throw new ImageException(ImageFault.Unsupported, imagePath,
                $"its header does not state the format of its backing file {Quoted.Name(header.BackingName!)}, "
                    + "and formats are never guessed",
                "declare the backing file's format, or write it with \"qemu-img rebase -u -F\"");
        }

        var stated = ImageFormatNames.Parse(name) ?? throw new ImageException(ImageFault.Unsupported, imagePath,
            $"its backing file has the format {Quoted.Name(name)}", "convert the backing file to qcow2 or raw and rebase to it");
        return declared is null || declared == stated
            ? stated
            : throw new ImageException(ImageFault.Mismatch, imagePath,
                $"its header says that the backing file is {stated.Name()}, but it is recorded as {declared.Value.Name()}",
                "find out which is right before using either");
    }

    private static bool HasProtocol(string name) => name.AsSpan().IndexOfAny(':', '/') is >= 0 and var at && name[at] == ':';

    /// <summary>
    /// QEMU resolves a relative name against the folder of the path it was given. If that path is a link into another
    /// folder, it and we would mean different files.
    /// </summary>
    private static void RequireOneFolder(Qcow2Header header, PinnedFile image)
    {
        if (PinnedFile.RealFolder(FolderOf(image.NamedPath)) != FolderOf(image.RealPath))
        {
            throw new ImageException(ImageFault.Forbidden, image.NamedPath,
                $"it is a link to {Quoted.Name(image.RealPath)}, so that its relative backing file name "
                    + $"{Quoted.Name(header.BackingName!)} is ambiguous",
                "give the real path");
        }
    }

    /// <summary>The folder of a path, by text alone: the kernel resolves what is in it.</summary>
    private static string FolderOf(string path) => path.LastIndexOf('/') switch
    {
        < 0 => ".",
        0 => "/",
        var slash => path[..slash],
    };
}
