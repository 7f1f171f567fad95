namespace Coppice.Images;

/// <summary>
/// What it takes to make two images one, in bytes of data. Zeros count nothing: they are written as zero clusters or holes.
/// </summary>
/// <param name="CommitBytes">Into the lower one: what the upper one has.</param>
/// <param name="StreamBytes">Into the upper one: what the lower one has and the upper one says nothing about.</param>
public sealed record MergeVolume(long CommitBytes, long StreamBytes)
{
    /// <summary>
    /// Measures it. Every table is read once, in order, and none is kept: memory does not grow with the disk. Where an image has
    /// to allocate a cluster for a part of it, the whole cluster counts.
    /// </summary>
    /// <exception cref="ImageException">An image is missing, malformed, unsupported or unreadable.</exception>
    public static MergeVolume Of(RecordedLayer lower, RecordedLayer upper, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(lower);
        ArgumentNullException.ThrowIfNull(upper);
        using var below = new Side(lower, cancel);
        using var above = new Side(upper, cancel);
        ClusterSum commit = new(below.GranularityBytes), stream = new(above.GranularityBytes);
        for (var at = 0L; (below.HasMore || above.HasMore) && Next(below, above, at) is var end; at = end)
        {
            if (IsStored(above.KindAt(at)))
            {
                commit.Add(at, end, isAllocated: below.KindAt(at) is ExtentKind.Data);
            }
            else if (above.KindAt(at) is null && IsStored(below.KindAt(at)))
            {
                stream.Add(at, end, isAllocated: false);
            }

            below.Leave(end);
            above.Leave(end);
        }

        return new MergeVolume(commit.Bytes, stream.Bytes);
    }

    private static long Next(Side below, Side above, long at) => Math.Min(below.NextAfter(at), above.NextAfter(at));

    private static bool IsStored(ExtentKind? kind) => kind is ExtentKind.Data or ExtentKind.Compressed;

    /// <summary>Sums up what is written in clusters of one size, each at most once.</summary>
    private sealed class ClusterSum(long granularity)
    {
        private long _end;

        public long Bytes { get; private set; }

        public void Add(long from, long to, bool isAllocated)
        {
            var (start, end) = isAllocated
                ? (from, to)
                : (from / granularity * granularity, (to + granularity - 1) / granularity * granularity);
            Bytes += Math.Max(0, end - Math.Max(start, _end));
            _end = Math.Max(_end, end);
        }
    }

    /// <summary>One of the two images, walked from the beginning to the end.</summary>
    private sealed class Side : IDisposable
    {
        private readonly PinnedFile _file;
        private readonly Qcow2Image? _image;
        private readonly IEnumerator<GuestExtent> _extents;

        public Side(RecordedLayer layer, CancellationToken cancel)
        {
            _file = layer.Pin();
            try
            {
                _image = layer.Format is ImageFormat.Qcow2 ? Qcow2Image.Open(_file) : null;
                _extents = (_image?.Extents(cancel) ?? RawExtents.Of(_file, cancel)).GetEnumerator();
                HasMore = _extents.MoveNext();
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public bool HasMore { get; private set; }

        /// <summary>The least that is allocated at once.</summary>
        public long GranularityBytes => _image?.Header.SubclusterSizeBytes ?? 1;

        public ExtentKind? KindAt(long at) => HasMore && _extents.Current.OffsetBytes <= at ? _extents.Current.Kind : null;

        /// <summary>Where the kind changes next.</summary>
        public long NextAfter(long at) => !HasMore ? long.MaxValue
            : _extents.Current.OffsetBytes > at ? _extents.Current.OffsetBytes
            : End;

        /// <summary>Goes on to the next extent if this one ends there.</summary>
        public void Leave(long end)
        {
            if (HasMore && End <= end)
            {
                HasMore = _extents.MoveNext();
            }
        }

        public void Dispose()
        {
            _extents?.Dispose();
            _image?.Dispose();
            _file.Dispose();
        }

        private long End => _extents.Current.OffsetBytes + _extents.Current.LengthBytes;
    }
}
