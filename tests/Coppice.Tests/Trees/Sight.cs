using System.Collections.Immutable;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Trees;

/// <summary>What a guest would read: each disk by target, and <c>memory</c> if there is any, with a text that stands for it.</summary>
internal sealed class Contents(IEnumerable<KeyValuePair<string, string>> parts)
{
    public const string Memory = "memory";

    private readonly ImmutableSortedDictionary<string, string> _parts = parts.ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>Whether another one has all of this, and the same.</summary>
    public bool IsIn(Contents other) => _parts.All(p => other._parts.TryGetValue(p.Key, out var found) && found == p.Value);

    /// <summary>Whether another one has all of this, on whatever disks: a snapshot's may be another disk of a domain.</summary>
    public bool IsSomewhereIn(Contents other) => _parts.Values.All(other._parts.ContainsValue);

    /// <summary>Whether what both have is the same.</summary>
    public bool Agrees(Contents other) => _parts.All(p => !other._parts.TryGetValue(p.Key, out var found) || found == p.Value);

    /// <summary>Whether nothing was ever written.</summary>
    public bool IsBlank => _parts.Values.All(p => p.Length == 0);

    /// <summary>Without the memory.</summary>
    public Contents Disks => new(_parts.Remove(Memory));

    /// <summary>Each part alone.</summary>
    public IEnumerable<Contents> Each => _parts.Select(p => new Contents([p]));

    /// <summary>The disks.</summary>
    public IEnumerable<string> Targets => _parts.Keys.Where(k => k != Memory);

    /// <summary>Some disks alone.</summary>
    public Contents Only(IEnumerable<string> disks) => new(_parts.Where(p => disks.Contains(p.Key)));

    /// <summary>Without some disks.</summary>
    public Contents Without(IEnumerable<string> disks) => new(_parts.RemoveRange(disks));

    /// <summary>This, with some parts as in another one.</summary>
    public Contents With(Contents other) => new(_parts.Remove(Memory).SetItems(other._parts));

    /// <summary>What a disk holds.</summary>
    public string this[string disk] => _parts[disk];

    public override bool Equals(object? obj) => obj is Contents other && ToString() == other.ToString();

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    public override string ToString() => string.Join("; ", _parts.Select(p => $"{p.Key} {p.Value}"));
}

/// <summary>One domain, with the content of everything that it can return to.</summary>
internal sealed record Sight(DomainView View, Contents Head)
{
    public ImmutableDictionary<SnapshotId, Contents> Snapshots { get; init; } = ImmutableDictionary<SnapshotId, Contents>.Empty;

    /// <summary>What the disks hold that took no part in a snapshot, and whose images are still known: those that are only read come back.</summary>
    public ImmutableDictionary<SnapshotId, Contents> NotKept { get; init; } = ImmutableDictionary<SnapshotId, Contents>.Empty;

    public ImmutableDictionary<ShortId, Contents> Tips { get; init; } = ImmutableDictionary<ShortId, Contents>.Empty;

    /// <summary>
    /// What is in images that a user brought, or another domain owns, each by the disk that it is for: they stay, whoever lets go.
    /// </summary>
    public ImmutableArray<Contents> Brought { get; init; } = [];

    public Catalog Catalog => View.Catalog;

    /// <summary>Snapshots, tips and the head.</summary>
    public IEnumerable<Contents> All => Snapshots.Values.Concat(Tips.Values).Append(Head);

    /// <summary>What a tip holds, but for disks that the head goes on writing.</summary>
    public Contents Settled(Tip tip) => Tips[tip.Id].Without(tip.Head.Disks.Intersect(Catalog.Head.Disks).Select(d => d.Target));

    /// <summary>What a snapshot holds, by its name.</summary>
    public Contents this[string? snapshot] =>
        Snapshots[snapshot is null ? Catalog.Current!.Value : Catalog.Find(snapshot).Id];
}
