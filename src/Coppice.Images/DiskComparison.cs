namespace Coppice.Images;

/// <summary>A range of a guest's disk.</summary>
/// <param name="OffsetBytes">Where it starts.</param>
/// <param name="LengthBytes">How long it is.</param>
public readonly record struct GuestRange(long OffsetBytes, long LengthBytes);

/// <summary>
/// Where two disks differ that have layers in common. Only what a layer above the common ones defines is looked at, and only what
/// is not the same bytes of one file is read: the work grows with what was written, not with the disk. Nothing is collected, so a
/// disk of any size takes the same memory.
/// </summary>
public static class DiskComparison
{
    private const int SectorBytes = 512;
    private const int PieceBytes = 64 << 10;

    /// <summary>The ranges in which they differ, in whole sectors, in ascending order; neighbours are one.</summary>
    /// <param name="one">A disk.</param>
    /// <param name="oneAbove">How many of its layers lie above those that both have.</param>
    /// <param name="other">The other disk. What lies behind the end of the smaller one differs where the larger one has
    /// data.</param>
    /// <param name="otherAbove">How many of its layers lie above.</param>
    /// <param name="cancel">Ends the reading.</param>
    /// <exception cref="ImageException">While enumerating: an image is malformed or cannot be read.</exception>
    public static IEnumerable<GuestRange> Changes(
        GuestDisk one, int oneAbove, GuestDisk other, int otherAbove, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);

        // A layer that was smaller than what it builds on hides the end of that.
        var size = Math.Max(one.SizeBytes, other.SizeBytes);
        var common = one.Sizes(oneAbove).Concat(other.Sizes(otherAbove)).Append(size).Min();
        IEnumerable<GuestExtent> tail = common < size ? [new GuestExtent(common, size - common, ExtentKind.Data)] : [];
        var candidates = Union([.. one.Extents(oneAbove, cancel), .. other.Extents(otherAbove, cancel), tail]);
        return Merged(candidates.SelectMany(c => Differing(one, other, c, cancel)));
    }

    /// <summary>The ranges that any of several ascending sequences has.</summary>
    private static IEnumerable<GuestRange> Union(IReadOnlyList<IEnumerable<GuestExtent>> all)
    {
        var heads = new List<IEnumerator<GuestExtent>>();
        try
        {
            foreach (var extents in all)
            {
                Advance(extents.GetEnumerator());
            }

            var (start, end) = (0L, 0L);
            while (heads.Count > 0)
            {
                var first = heads.MinBy(h => h.Current.OffsetBytes)!;
                var next = first.Current;
                if (next.OffsetBytes > end)
                {
                    if (end > start)
                    {
                        yield return new GuestRange(start, end - start);
                    }

                    start = next.OffsetBytes;
                }

                end = Math.Max(end, next.OffsetBytes + next.LengthBytes);
                heads.Remove(first);
                Advance(first);
            }

            if (end > start)
            {
                yield return new GuestRange(start, end - start);
            }
        }
        finally
        {
            heads.ForEach(h => h.Dispose());
        }

        void Advance(IEnumerator<GuestExtent> extents)
        {
            if (extents.MoveNext())
            {
                heads.Add(extents);
            }
            else
            {
                extents.Dispose();
            }
        }
    }

    private static IEnumerable<GuestRange> Differing(GuestDisk one, GuestDisk other, GuestRange range, CancellationToken cancel)
    {
        var (left, right) = (new byte[PieceBytes], new byte[PieceBytes]);
        var end = range.OffsetBytes + range.LengthBytes;
        for (var at = range.OffsetBytes; at < end;)
        {
            cancel.ThrowIfCancellationRequested();
            var (a, b) = (one.Locate(at), other.Locate(at));
            var same = Math.Min(end - at, Math.Min(a.LengthBytes, b.LengthBytes));
            if (a.IsSameAs(b))
            {
                at += same;
                continue;
            }

            var length = (int)Math.Min(same, PieceBytes);
            a.Read(at, left.AsSpan(0, length));
            b.Read(at, right.AsSpan(0, length));
            foreach (var changed in Sectors(left.AsMemory(0, length), right.AsMemory(0, length)))
            {
                yield return changed with { OffsetBytes = at + changed.OffsetBytes };
            }

            at += length;
        }
    }

    private static IEnumerable<GuestRange> Sectors(ReadOnlyMemory<byte> left, ReadOnlyMemory<byte> right)
    {
        if (left.Span.SequenceEqual(right.Span))
        {
            yield break;
        }

        for (var at = 0; at < left.Length; at += SectorBytes)
        {
            var length = Math.Min(SectorBytes, left.Length - at);
            if (!left.Span.Slice(at, length).SequenceEqual(right.Span.Slice(at, length)))
            {
                yield return new GuestRange(at, length);
            }
        }
    }

    private static IEnumerable<GuestRange> Merged(IEnumerable<GuestRange> ranges)
    {
        var last = default(GuestRange);
        foreach (var range in ranges)
        {
            if (last.LengthBytes > 0 && last.OffsetBytes + last.LengthBytes == range.OffsetBytes)
            {
                last = last with { LengthBytes = last.LengthBytes + range.LengthBytes };
                continue;
            }

            if (last.LengthBytes > 0)
            {
                yield return last;
            }

            last = range;
        }

        if (last.LengthBytes > 0)
        {
            yield return last;
        }
    }
}
