using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Images;

namespace Coppice.Storage;

/// <summary>Compares what guests read from two chains, with the native reader alone.</summary>
internal static class DiskComparer
{
    /// <param name="one">A chain, top first.</param>
    /// <param name="other">Another.</param>
    /// <param name="cancellation">Ends the reading.</param>
    public static DiskDifference Compare(ImmutableArray<Layer> one, ImmutableArray<Layer> other, CancellationToken cancellation) =>
        ImageErrors.Guard($"disk '{one[0].Disk}'", () =>
        {
            using var first = Open(one);
            using var second = Open(other);
            var changes = DiskComparison.Changes(first, Above(one, other), second, Above(other, one), cancellation);
            return DiskDifference.Of(
                new ByteCount(first.SizeBytes), new ByteCount(second.SizeBytes), changes.Select(c => new ByteRange(c.OffsetBytes, c.LengthBytes)));
        });

    private static GuestDisk Open(ImmutableArray<Layer> chain) =>
        GuestDisk.Open([.. chain.Select(l => new GuestLayer(ImageArguments.Of(l).ToRecord(), l.Inside?.Tag))]);

    /// <summary>How many layers lie above those that the other chain has too.</summary>
    private static int Above(ImmutableArray<Layer> chain, ImmutableArray<Layer> other)
    {
        var ids = other.Select(l => l.Id).ToHashSet();
        return chain.TakeWhile(l => !ids.Contains(l.Id)).Count();
    }
}
