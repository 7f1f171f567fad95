using System.Security.Cryptography;
using Coppice.Core;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>SHA-256 of what layers hold, and of plain files.</summary>
internal static class Digests
{
    /// <summary>Of what a layer defines.</summary>
    public static string Of(Layer layer, CancellationToken cancellation) => ImageErrors.Guard($"disk '{layer.Disk}'", () =>
        Convert.ToHexStringLower(LayerDigest.Compute(
            new GuestLayer(ImageArguments.Of(layer).ToRecord(), layer.Inside?.Tag), cancellation)));

    /// <summary>Of a file that is no device, a pipe or a socket.</summary>
    public static async Task<string> OfFileAsync(string path, CancellationToken cancellation)
    {
        var stream = ImageErrors.Guard("memory", () =>
        {
            using var file = PinnedFile.Open(path);
            return file.OpenRead();
        });
        await using (stream.ConfigureAwait(false))
        {
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false));
        }
    }
}
