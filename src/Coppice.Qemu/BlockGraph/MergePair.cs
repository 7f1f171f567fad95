using Coppice.Core;

namespace Coppice.Qemu.BlockGraph;

/// <summary>The layers that a merge concerns, in their order.</summary>
/// <param name="Above">What builds on the upper one in what is open; null if nothing does.</param>
/// <param name="Upper">The upper one.</param>
/// <param name="Lower">The lower one.</param>
/// <param name="Below">What that builds on; null if nothing.</param>
/// <param name="Direction">Which of the two is written.</param>
internal sealed record MergePair(Layer? Above, Layer Upper, Layer Lower, Layer? Below, MergeDirection Direction)
{
    /// <summary>The layer that is written, and stays.</summary>
    public Layer Kept => Direction is MergeDirection.Commit ? Lower : Upper;

    /// <summary>The layer that goes.</summary>
    public Layer Gone => Direction is MergeDirection.Commit ? Upper : Lower;

    /// <summary>What the layer that is written builds on, before and after a commit, and before a stream.</summary>
    public Layer? BelowKept => Direction is MergeDirection.Commit ? Below : Lower;

    /// <summary>
    /// The image whose header the merge changes, and what it names from then on; none where the upper layer of a commit is the
    /// topmost.
    /// </summary>
    public (Layer Layer, Layer? Names)? Link => Direction is MergeDirection.Stream
        ? (Upper, Below)
        : Above is null ? null : (Above, Lower);

    /// <summary>Finds them in the chain.</summary>
    /// <exception cref="CoppiceException">The request contradicts itself (<see cref="ErrorKind.Internal"/>).</exception>
    public static MergePair Of(MergeRequest merge)
    {
        var at = merge.Chain.TakeWhile(l => l.Id != merge.Upper).Count();
        if (at + 1 >= merge.Chain.Length || merge.Chain[at + 1].Id != merge.Lower)
        {
            throw new CoppiceException(
                ErrorKind.Internal, $"merge {merge.Job}", $"layer {merge.Upper} does not build on {merge.Lower} in its chain");
        }

        return new MergePair(
            at > 0 ? merge.Chain[at - 1] : null, merge.Chain[at], merge.Chain[at + 1],
            at + 2 < merge.Chain.Length ? merge.Chain[at + 2] : null, merge.Direction);
    }
}
