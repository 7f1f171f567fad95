using ImageFormat = Coppice.Core.ImageFormat;

namespace Coppice.Storage;

/// <summary>The two vocabularies of images and their formats, and the names that qemu-img uses.</summary>
internal static class Formats
{
    public static Images.ImageFormat ToImages(this ImageFormat format) =>
        format is ImageFormat.Qcow2 ? Images.ImageFormat.Qcow2 : Images.ImageFormat.Raw;

    public static ImageFormat ToCore(this Images.ImageFormat format) =>
        format is Images.ImageFormat.Qcow2 ? ImageFormat.Qcow2 : ImageFormat.Raw;

    public static string Name(this ImageFormat format) => format is ImageFormat.Qcow2 ? "qcow2" : "raw";
}
