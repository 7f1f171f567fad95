namespace Coppice.Images;

/// <summary>
/// The format of an image. It comes from a caller's own records, never from the image's content: a guest can write a
/// qcow2 header into its raw disk, and a prober would then open whatever file that header names.
/// </summary>
public enum ImageFormat
{
    /// <summary>The file is the disk.</summary>
    Raw,

    /// <summary>QEMU copy-on-write, version 2 or 3.</summary>
    Qcow2,
}

internal static class ImageFormatNames
{
    /// <summary>QEMU's name of the format, as <c>-F</c> and the header extension spell it.</summary>
    public static string Name(this ImageFormat format) => format == ImageFormat.Raw ? "raw" : "qcow2";

    /// <summary>The format with exactly this name (QEMU compares case-sensitively), or null.</summary>
    public static ImageFormat? Parse(string name) => name switch
    {
        "raw" => ImageFormat.Raw,
        "qcow2" => ImageFormat.Qcow2,
        _ => null,
    };
}
