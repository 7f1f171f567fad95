using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>
/// What a guest would read from an image, by its own backing names and tables. It asks neither the catalog nor the product's
/// reader, and starts no process: a tree is read whole after every operation.
/// </summary>
internal sealed class GuestDisk : IDisposable
{
    /// <summary>The unit in which contents are compared.</summary>
    public const int Block = 64 << 10;

    private readonly List<ImageFile> _chain = [];
    private readonly byte[] _block = new byte[Block];

    private GuestDisk()
    {
    }

    /// <param name="path">The image on top.</param>
    /// <param name="format">Its format.</param>
    /// <param name="tag">An internal snapshot in it; null for what it holds now.</param>
    public static GuestDisk Open(string path, ImageFormat format, string? tag = null)
    {
        var disk = new GuestDisk();
        try
        {
            disk._chain.Add(format is ImageFormat.Raw ? ImageFile.OpenRaw(path) : ImageFile.Open(path, tag));
            while (disk._chain[^1].Backing is { } backing)
            {
                disk._chain.Add(ImageFile.Open(backing, null));
            }

            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>One checksum a block; zeros at the end are left out, so that a disk may grow.</summary>
    public static string Fingerprint(string path, ImageFormat format, string? tag = null)
    {
        using var disk = Open(path, format, tag);
        var text = new StringBuilder();
        var zeros = 0;
        for (long at = 0; at < disk._chain[0].Size; at += Block)
        {
            if (disk.Checksum(at) is not 0 and var sum)
            {
                text.Append(CultureInfo.InvariantCulture, $"{(zeros > 0 ? $"{zeros}x0 " : "")}{sum:x8} ");
                zeros = 0;
            }
            else
            {
                zeros++;
            }
        }

        return text.ToString();
    }

    /// <summary>Reads a range that lies in one block, into a buffer that is as long. False if it is zeros.</summary>
    public bool Read(long at, Span<byte> content)
    {
        foreach (var image in _chain)
        {
            if (at >= image.Size)
            {
                return false;
            }

            if (image.Find(at) is { } place)
            {
                if (place != ImageFile.Zeros)
                {
                    content[RandomAccess.Read(image.File, content, place)..].Clear();
                }

                return place != ImageFile.Zeros;
            }
        }

        return false;
    }

    public void Dispose() => _chain.ForEach(i => i.File.Dispose());

    /// <summary>0 for zeros.</summary>
    private uint Checksum(long at)
    {
        if (!Read(at, _block) || !_block.AsSpan().ContainsAnyExcept((byte)0))
        {
            return 0;
        }

        var sum = uint.MaxValue;
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(_block))
        {
            sum = BitOperations.Crc32C(sum, word);
        }

        return Math.Max(sum, 1);
    }
}
