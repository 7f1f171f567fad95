using System.Text;

namespace Coppice.Images;

/// <summary>Text inside images: strict UTF-8 without NUL, which QEMU would take for the end.</summary>
internal static class ImageText
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Decode(ReadOnlySpan<byte> raw, string what, ImageBytes bytes)
    {
        if (raw.Contains((byte)0))
        {
            throw bytes.Malformed($"its {what} contains a NUL");
        }

        try
        {
            return Strict.GetString(raw);
        }
        catch (DecoderFallbackException)
        {
            throw bytes.Unsupported($"its {what} is not UTF-8", "rename the file and rebase the image to it");
        }
    }

    /// <summary>Text for display only: up to the first NUL, undecodable bytes replaced.</summary>
    public static string DecodeLoosely(ReadOnlySpan<byte> raw)
    {
        var end = raw.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? raw : raw[..end]);
    }
}
