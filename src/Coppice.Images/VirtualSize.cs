namespace Coppice.Images;

/// <summary>How large a disk an image holds.</summary>
public static class VirtualSize
{
    /// <summary>The size in bytes, as the header has it or, of a raw image, as the file is long.</summary>
    /// <exception cref="ImageException">Missing, not a regular file, malformed, unsupported or unreadable.</exception>
    public static long Of(string path, ImageFormat format)
    {
        using var file = PinnedFile.Open(path);
        if (format is ImageFormat.Raw)
        {
            return file.LengthBytes;
        }

        using var image = Qcow2Image.Open(file);
        return image.Header.VirtualSizeBytes;
    }

    /// <summary>The size of a block device, which holds a raw disk.</summary>
    /// <exception cref="ImageException">Missing, not a block device, or not accessible.</exception>
    public static long OfDevice(string path)
    {
        using var device = PinnedFile.OpenDevice(path);
        return device.LengthBytes;
    }

    /// <summary>Whether the disk is at least so large; one whose image cannot be read is not.</summary>
    public static bool Reaches(string path, ImageFormat format, long bytes)
    {
        try
        {
            return Of(path, format) >= bytes;
        }
        catch (ImageException)
        {
            return false;
        }
    }
}
