namespace Coppice.Images;

/// <summary>
/// The bytes of one image, read by position. Every read is checked against the file's length at that moment, before the
/// stream is touched.
/// </summary>
internal sealed class ImageBytes(Stream stream, string path)
{
    public string Path => path;

    /// <summary>The present length; the image of a running machine grows.</summary>
    public long Length
    {
        get
        {
            try
            {
                return stream.Length;
            }
            catch (IOException error)
            {
                throw Unreadable(error);
            }
        }
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/>.</summary>
    /// <param name="offset">Position in the file.</param>
    /// <param name="destination">Filled completely.</param>
    /// <param name="what">The structure, for the message: "L1 table".</param>
    public void Read(long offset, Span<byte> destination, string what)
    {
        RequireInside(offset, destination.Length, what);
        try
        {
            stream.Position = offset;
            stream.ReadExactly(destination);
        }
        catch (EndOfStreamException)
        {
            throw Malformed($"the file shrank while its {what} was read");
        }
        catch (IOException error)
        {
            throw Unreadable(error);
        }
    }

    /// <summary>Refuses a range that does not lie in the file.</summary>
    public void RequireInside(long offset, long count, string what)
    {
        var length = Length;
        if (offset < 0 || count < 0 || count > length || offset > length - count)
        {
            throw Malformed($"its {what} (offset {offset}, {count} bytes) does not lie in the file, which has {length} bytes");
        }
    }

    public ImageException Malformed(string problem) => new(ImageFault.Malformed, path, problem,
        "restore it; QEMU's tools would open what it names, so run them only if the image is your own");

    public ImageException Unsupported(string problem, string nextStep) => new(ImageFault.Unsupported, path, problem, nextStep);

    private ImageException Unreadable(IOException error) => new(ImageFault.Unreadable, path,
        $"it cannot be read ({error.Message})", "check the storage it lies on", error);
}
