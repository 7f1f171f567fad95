using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Coppice.Images;

/// <summary>
/// The SHA-256 of what one layer defines of its disk: the data in ascending order, each run of it followed by where it lies, and
/// the runs of zeros. How the file is laid out does not count, nor whether a cluster is compressed.
/// </summary>
public static class LayerDigest
{
    private const int PieceBytes = 64 << 10;
    private const int HeaderBytes = 1 + sizeof(long) + sizeof(long);

    /// <summary>Computes it.</summary>
    /// <param name="layer">The layer, or an internal snapshot; its chain must have been checked.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <exception cref="ImageException">It is malformed or cannot be read.</exception>
    public static byte[] Compute(GuestLayer layer, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(layer);
        using var open = OpenLayer.Open(layer);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var piece = new byte[PieceBytes];
        var run = default(GuestExtent);
        foreach (var extent in open.Extents(cancel))
        {
            // Neighbours are one run, however the tables part them.
            var kind = extent.Kind is ExtentKind.Zero ? ExtentKind.Zero : ExtentKind.Data;
            var continues = run.LengthBytes > 0 && run.Kind == kind && run.OffsetBytes + run.LengthBytes == extent.OffsetBytes;
            if (!continues)
            {
                Close(hash, run);
            }

            run = continues
                ? run with { LengthBytes = run.LengthBytes + extent.LengthBytes }
                : new GuestExtent(extent.OffsetBytes, extent.LengthBytes, kind);
            if (kind is ExtentKind.Data)
            {
                Append(hash, open, extent, piece, cancel);
            }
        }

        Close(hash, run);
        Close(hash, new GuestExtent(0, open.SizeBytes, ExtentKind.Zero));
        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, OpenLayer layer, GuestExtent extent, byte[] piece, CancellationToken cancel)
    {
        var end = extent.OffsetBytes + extent.LengthBytes;
        for (var at = extent.OffsetBytes; at < end;)
        {
            cancel.ThrowIfCancellationRequested();
            var found = layer.Find(at);
            var length = (int)Math.Min(Math.Min(found.LengthBytes, end - at), PieceBytes);
            layer.Read(at, found, piece.AsSpan(0, length));
            hash.AppendData(piece, 0, length);
            at += length;
        }
    }

    private static void Close(IncrementalHash hash, GuestExtent run)
    {
        if (run.LengthBytes > 0)
        {
            Span<byte> header = stackalloc byte[HeaderBytes];
            header[0] = (byte)run.Kind;
            BinaryPrimitives.WriteInt64BigEndian(header[1..], run.OffsetBytes);
            BinaryPrimitives.WriteInt64BigEndian(header[(1 + sizeof(long))..], run.LengthBytes);
            hash.AppendData(header);
        }
    }
}
