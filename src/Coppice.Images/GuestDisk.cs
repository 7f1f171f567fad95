namespace Coppice.Images;

/// <summary>A layer of a chain as the caller's records have it, or an internal snapshot inside it.</summary>
/// <param name="Image">The image.</param>
/// <param name="Tag">The name of the internal snapshot; null for the image itself.</param>
public sealed record GuestLayer(RecordedLayer Image, string? Tag);

/// <summary>
/// A disk as a guest reads it, through the whole chain of its images. Read-only, without locks, and not for several threads at
/// once. Check the chain first (<see cref="ImageChain.Check"/>): no backing name is followed here, only the records are.
/// <para>
/// What a running machine has not written to its file yet is not seen: read frozen layers and stopped machines.
/// </para>
/// </summary>
public sealed class GuestDisk : IDisposable
{
    private readonly List<OpenLayer> _layers = [];

    private GuestDisk()
    {
    }

    /// <summary>The size of the disk.</summary>
    public long SizeBytes => _layers[0].SizeBytes;

    /// <summary>The sizes of its uppermost layers.</summary>
    internal IEnumerable<long> Sizes(int layers) => _layers.Take(layers).Select(l => l.SizeBytes);

    /// <summary>Opens the images of a chain.</summary>
    /// <param name="chain">Top first.</param>
    /// <exception cref="ImageException">One cannot be read.</exception>
    public static GuestDisk Open(IReadOnlyList<GuestLayer> chain)
    {
        ArgumentNullException.ThrowIfNull(chain);
        var disk = new GuestDisk();
        try
        {
            foreach (var layer in chain)
            {
                disk._layers.Add(OpenLayer.Open(layer));
            }

            return disk;
        }
        catch
        {
            disk.Dispose();
            throw;
        }
    }

    /// <summary>Closes the images.</summary>
    public void Dispose() => _layers.ForEach(l => l.Dispose());

    /// <summary>What its uppermost layers define, each in ascending order.</summary>
    internal IEnumerable<IEnumerable<GuestExtent>> Extents(int layers, CancellationToken cancel) =>
        _layers.Take(layers).Select(l => l.Extents(cancel));

    /// <summary>
    /// Where the guest's data is from an offset on. Behind the end of a disk, or of what it builds on, are zeros.
    /// </summary>
    internal GuestPlace Locate(long at)
    {
        var length = long.MaxValue;
        foreach (var layer in _layers)
        {
            if (at >= layer.SizeBytes)
            {
                break;
            }

            var found = layer.Find(at);
            length = Math.Min(length, Math.Min(found.LengthBytes, layer.SizeBytes - at));
            if (found.Kind is not null)
            {
                return found.Kind is ExtentKind.Zero
                    ? new GuestPlace(null, default, length)
                    : new GuestPlace(layer, found, length);
            }
        }

        return new GuestPlace(null, default, length);
    }
}

/// <summary>Where a range of a guest's disk is.</summary>
/// <param name="Layer">The layer that stores it; null if it is zeros.</param>
/// <param name="Found">Where in that layer.</param>
/// <param name="LengthBytes">How far the same holds.</param>
internal readonly record struct GuestPlace(OpenLayer? Layer, Placement Found, long LengthBytes)
{
    /// <summary>Whether both are the same bytes of one file, or zeros: then they need not be read.</summary>
    public bool IsSameAs(GuestPlace other) => Layer?.Path == other.Layer?.Path
        && Found.Kind == other.Found.Kind && Found.HostOffset == other.Found.HostOffset;

    public void Read(long at, Span<byte> destination)
    {
        if (Layer is null)
        {
            destination.Clear();
        }
        else
        {
            Layer.Read(at, Found, destination);
        }
    }
}
