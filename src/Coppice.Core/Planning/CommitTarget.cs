using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>The image below into which what a guest writes to may be written: nobody but that disk has it, or anything in between.</summary>
internal static class CommitTarget
{
    /// <summary>Finds it.</summary>
    /// <param name="context">The domain.</param>
    /// <param name="chain">The chain of what the guest writes to, top first.</param>
    /// <param name="path">Its path; null for the lowest.</param>
    /// <exception cref="CoppiceException">There is none, or somebody has it; the message names who.</exception>
    public static Layer Of(PlanContext context, ImmutableArray<Layer> chain, string? path)
    {
        var subject = $"disk '{chain[0].Disk}' of {context.Subject}";
        var target = path is null ? chain[^1] : chain.Skip(1).FirstOrDefault(l => l.Path == path) ?? throw new CoppiceException(
            ErrorKind.NotFound, $"image '{path}'", $"is none that {chain[0].Path} builds on",
            $"name one of: {string.Join(", ", chain.Skip(1).Select(l => l.Path))}");
        if (target == chain[0])
        {
            throw new CoppiceException(ErrorKind.WrongState, subject, $"is in {target.Path}, which builds on nothing", "there is nothing to commit to");
        }

        var merged = chain.TakeWhile(l => l.Id != target.Id).Append(target).ToArray();
        var unnamed = context.UnnamedIn(context.Observed.CatalogLent);
        foreach (var (upper, lower) in merged.Zip(merged.Skip(1)))
        {
            var pair = unnamed.FirstOrDefault(u => u.Lower.Id == lower.Id && u.Upper?.Id == upper.Id);
            if (pair is null or { AgainstCommit: not null })
            {
                throw new CoppiceException(
                    ErrorKind.WrongState, subject, $"cannot be committed to {target.Path}: {pair?.AgainstCommit?.Problem ?? Owner(context, lower)}",
                    pair?.AgainstCommit?.NextStep is { Length: > 0 } next ? next : "delete what has it, or take a snapshot instead");
            }
        }

        return target.Origin is LayerOrigin.User && merged.Length > 2
            ? throw new CoppiceException(
                ErrorKind.WrongState, subject, $"has {merged.Length - 2} layers between what the guest writes to and {target.Path}, which is yours and would be half written meanwhile",
                $"merge those first: coppice gc {context.Catalog.Name}")
            : target;
    }

    /// <summary>
    /// An image of the user into which something was written is whole again only when all of it is: the merge stays on record until
    /// the guest has gone over, and is done once the domain is off if it never does.
    /// </summary>
    public static ImmutableArray<MergeJob> Protection(PlanContext context, ImmutableArray<Layer> chain, Layer target)
    {
        if (target.Origin is not LayerOrigin.User)
        {
            return [];
        }

        var known = context.Catalog.Jobs.FirstOrDefault(j => j.Lower == target.Id && j.Upper == chain[0].Id);
        return
        [
            (known ?? new MergeJob
            {
                Id = context.Observed.Ids.NextShort(), Disk = target.Disk, Lower = target.Id, Upper = chain[0].Id,
                Direction = MergeDirection.Commit,
            }) with { Direction = MergeDirection.Commit, HasBegun = true },
        ];
    }

    private static string Owner(PlanContext context, Layer layer)
    {
        var snapshot = context.Catalog.Snapshots.Values.FirstOrDefault(s => s.Disks.Any(d => d.IsKept && d.Layer == layer.Id));
        var tip = context.Catalog.Tips.FirstOrDefault(t => t.Head.Disks.Any(d => d.Layer == layer.Id));
        return snapshot is not null ? $"{layer.Path} is what snapshot '{snapshot.Name}' has"
            : tip is not null ? $"{layer.Path} is what tip {tip.Id} has"
            : $"{layer.Path} is an image that you brought with the one above it";
    }
}
