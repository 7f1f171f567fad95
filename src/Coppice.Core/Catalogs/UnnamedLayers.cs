using System.Collections.Immutable;

namespace Coppice.Core;

/// <summary>What keeps a layer from being merged.</summary>
/// <param name="Problem">What it is.</param>
/// <param name="NextStep">What the user can do about it, or when it goes away; empty if that is never.</param>
public sealed record Hindrance(string Problem, string NextStep);

/// <summary>
/// A layer without a name: no snapshot, head or tip has it as its own, others build on it. If only one does, the two can be
/// merged, unless something keeps them from it.
/// </summary>
/// <param name="Lower">The layer.</param>
/// <param name="Upper">The only layer that builds on it; null if several do.</param>
/// <param name="AgainstCommit">Why <paramref name="Upper"/> cannot be written into it; null if it can.</param>
/// <param name="AgainstStream">Why it cannot be written into <paramref name="Upper"/>; null if it can.</param>
public sealed record UnnamedLayer(Layer Lower, Layer? Upper, Hindrance? AgainstCommit, Hindrance? AgainstStream)
{
    /// <summary>Why a direction is not permitted; null if it is.</summary>
    public Hindrance? Against(MergeDirection direction) => direction is MergeDirection.Commit ? AgainstCommit : AgainstStream;

    /// <summary>Whether it can be merged at all.</summary>
    public bool CanMerge => AgainstCommit is null || AgainstStream is null;

    /// <summary>Why it stays as it is, for people.</summary>
    public string Reason => AgainstCommit == AgainstStream
        ? AgainstStream?.Problem ?? ""
        : $"commit: {AgainstCommit?.Problem}; stream: {AgainstStream?.Problem}";

    /// <summary>What the user can do so that it need not stay; may be empty.</summary>
    public string NextStep => string.Join(
        "; ", new[] { AgainstStream?.NextStep, AgainstCommit?.NextStep }.Where(s => s is { Length: > 0 }).Distinct());

    /// <summary>Whether a job is about this layer and the one that builds on it.</summary>
    public bool IsOf(MergeJob job)
    {
        ArgumentNullException.ThrowIfNull(job);
        return job.Lower == Lower.Id && job.Upper == Upper?.Id;
    }
}

/// <summary>Finds the layers of a catalog that have no name, and says what may be merged and what not. Pure.</summary>
/// <param name="catalog">The catalog.</param>
/// <param name="files">What is known of the files of its layers.</param>
/// <param name="usedElsewhere">The images that other domains use, by <see cref="FileObservation.Identity"/>.</param>
public sealed class UnnamedLayers(
    Catalog catalog, ImmutableDictionary<string, FileObservation> files, ImmutableHashSet<string> usedElsewhere)
{
    private readonly LayerGraph _graph = LayerGraph.Of(catalog);
    private readonly ImmutableHashSet<ShortId> _lent = LayerGraph.Of(catalog).Lent();

    /// <summary>
    /// All of them, lower ones first. The images below the one that a user brought are the user's, and are none.
    /// </summary>
    public ImmutableArray<UnnamedLayer> Find()
    {
        var unreached = _graph.Unreached().Select(l => l.Id).ToHashSet();
        var named = _graph.Named();
        var known = _graph.All.Where(l => !unreached.Contains(l.Id)).ToArray();
        var above = known.Where(l => l.Inside is null && l.Parent is not null).ToLookup(l => l.Parent!.Value);
        var inside = known.Where(l => l.Inside is not null).Select(l => l.Inside!.Holder).ToHashSet();
        return
        [
            .. from lower in known
               where lower.Inside is null && !named.Contains(lower.Id) && above.Contains(lower.Id)
               let built = above[lower.Id].OrderBy(l => l.Path, StringComparer.Ordinal).ToArray()
               where lower.Origin is LayerOrigin.Coppice || !built.All(l => l.Origin is LayerOrigin.User)
               orderby _graph.Chain(lower.Id).Length, lower.Path
               select built is [var upper]
                   ? new UnnamedLayer(lower, upper, AgainstCommit(lower, upper, inside, [.. above[upper.Id]]), AgainstStream(lower, upper, inside))
                   : Several(lower, built),
        ];
    }

    private UnnamedLayer Several(Layer lower, Layer[] built)
    {
        var reason = new Hindrance(
            $"{built.Length} layers build on it: {string.Join(", ", built.Select(l => $"{Path.GetFileName(l.Path)}{Users(l)}"))}",
            $"it is merged once one of them is left: {Later}");
        return new UnnamedLayer(lower, null, reason, reason);
    }

    private string Later => $"coppice gc {catalog.Name}";

    /// <summary>Whose own a layer is, in parentheses; nothing for one without a name.</summary>
    private string Users(Layer layer)
    {
        var users = catalog.Snapshots.Values.Where(s => s.Disks.Any(d => d.IsKept && d.Layer == layer.Id)).OrderBy(s => s.CreatedAt)
            .Select(s => $"snapshot '{s.Name}'")
            .Concat(catalog.Tips.Where(t => t.Head.Disks.Any(d => d.Layer == layer.Id)).Select(t => $"tip {t.Id}"))
            .Concat(catalog.Head.Disks.Where(d => d.Layer == layer.Id).Select(_ => "the head")).ToArray();
        return users.Length == 0 ? "" : $" ({string.Join(", ", users)})";
    }

    private Hindrance? AgainstCommit(Layer lower, Layer upper, HashSet<ShortId> inside, Layer[] above)
    {
        if (lower.Type is StorageType.Block)
        {
            return new Hindrance($"{lower.Path} is a device, and only its guest writes to it", "");
        }

        if (_lent.Contains(lower.Id))
        {
            return IsLent(lower);
        }

        var others = _graph.All.Where(l => l.Id != lower.Id && l.Inside is null && Identity(l) == Identity(lower));
        return inside.Contains(upper.Id) ? HasInside(upper)
            : lower.VirtualSize.Bytes > upper.VirtualSize.Bytes
                ? new Hindrance($"the disk in {lower.Path} is larger than the one in {upper.Path}", "")
            : others.FirstOrDefault() is { } other ? new Hindrance($"{lower.Path} is also an image of disk '{other.Disk}'", "")
            : lower.Origin is LayerOrigin.User && usedElsewhere.Contains(Identity(lower))
                ? new Hindrance($"another domain uses {lower.Path}, or cannot be read", $"it is merged once none does: {Later}")
            : above.Prepend(lower).Append(upper).Select(AgainstWriting).FirstOrDefault(reason => reason is not null);
    }

    private Hindrance? AgainstStream(Layer lower, Layer upper, HashSet<ShortId> inside) =>
        _lent.Contains(upper.Id) ? IsLent(upper)
        : inside.Contains(upper.Id) ? HasInside(upper)
        : inside.Contains(lower.Id) ? HasInside(lower)
        : AgainstWriting(upper) ?? (files.TryGetValue(lower.Path, out var file) ? AgainstCopying(lower, file) : IsMissing(lower));

    /// <summary>A copy of what others keep would free nothing, and take its size once more.</summary>
    private Hindrance? AgainstCopying(Layer layer, FileObservation file) =>
        layer.Origin is LayerOrigin.Borrowed ? IsBorrowed(layer)
        : layer.Origin is LayerOrigin.Coppice && file.Links > 1 ? HasNames(layer, file)
        : null;

    /// <summary>Neither the data nor the header of a file that has several names is written: others rely on it.</summary>
    private Hindrance? AgainstWriting(Layer layer) => !files.TryGetValue(layer.Path, out var file) ? IsMissing(layer)
        : layer.Origin is LayerOrigin.Borrowed ? IsBorrowed(layer)
        : file.Links > 1 ? HasNames(layer, file)
        : null;

    private string Identity(Layer layer) => files.TryGetValue(layer.Path, out var file) ? file.Identity : layer.Path;

    private Hindrance IsMissing(Layer layer) =>
        new($"{layer.Path} is missing", $"see what else is: coppice check {catalog.Name}");

    private static Hindrance IsBorrowed(Layer layer) =>
        new($"{layer.Path} is borrowed from another domain", "it takes room there, and goes with what that domain deletes");

    private Hindrance HasNames(Layer layer, FileObservation file) =>
        new($"{layer.Path} has {file.Links} names: others rely on it", $"it is merged once they are gone: {Later}");

    private Hindrance IsLent(Layer layer) => new($"another domain uses {layer.Path}", $"it is merged once none does: {Later}");

    private Hindrance HasInside(Layer holder)
    {
        var names = catalog.Snapshots.Values
            .Where(s => s.Disks.Any(d => d.IsKept && _graph[d.Layer].Inside?.Holder == holder.Id)
                || (s.Memory.Layer is { } memory && _graph[memory].Inside?.Holder == holder.Id))
            .OrderBy(s => s.CreatedAt).Select(s => s.Name).ToArray();
        return new Hindrance(
            $"snapshots are kept inside {holder.Path}{(names.Length == 0 ? "" : $": {string.Join(", ", names)}")}",
            $"it is merged once they are deleted: {Later}");
    }
}
