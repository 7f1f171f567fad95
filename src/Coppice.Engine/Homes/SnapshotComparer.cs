using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Engine;

/// <summary>
/// Compares two snapshots of a domain, or a snapshot and the head. Takes no lock: what is frozen shows the same whatever becomes
/// of its layers, as long as these are still the same.
/// </summary>
internal sealed class SnapshotComparer(HomeOptions options, DomainFolder folder)
{
    /// <param name="first">The name or uuid of a snapshot.</param>
    /// <param name="second">That of another; null for the head.</param>
    /// <param name="target">The only disk to compare; null for all.</param>
    /// <param name="cancellation">Ends the comparing.</param>
    public Task<SnapshotDifference> CompareAsync(string first, string? second, string? target, CancellationToken cancellation) =>
        UnlockedReading.ReadAsync(
            new CatalogStore(folder), c => CompareAsync(c, first, second, target, cancellation),
            (_, before, now) => Read(before, first, second).SequenceEqual(Read(now, first, second)));

    private async Task<SnapshotDifference> CompareAsync(
        Catalog catalog, string first, string? second, string? target, CancellationToken cancellation)
    {
        var (from, to) = (catalog.Find(first), second is null ? null : catalog.Find(second));
        var definition = Definition(catalog, from.Definition, to?.Definition ?? catalog.Head.Definition);
        var (old, now) = (Kept(from), Kept(catalog, to));
        string[] targets = [.. old.Keys.Union(now.Keys).Where(t => target is null || t == target).Order(StringComparer.Ordinal)];
        if (target is not null && targets.Length == 0)
        {
            throw new CoppiceException(
                ErrorKind.NotFound, $"disk '{target}' of domain '{catalog.Name}'", $"is kept neither by '{from.Name}' nor by {to?.Name ?? "the head"}",
                $"leave out --disk, or see: coppice snapshot show {catalog.Name} {from.Name}");
        }

        var isMoving = to is null && await IsAliveAsync(catalog, cancellation).ConfigureAwait(false);
        var graph = LayerGraph.Of(catalog);
        var changes = ImmutableArray.CreateBuilder<DiskChange>();
        foreach (var disk in targets)
        {
            var difference = old.TryGetValue(disk, out var a) && now.TryGetValue(disk, out var b)
                ? await CompareAsync(graph.Chain(a), graph.Chain(b), cancellation).ConfigureAwait(false)
                : null;
            changes.Add(new DiskChange(disk, old.ContainsKey(disk), now.ContainsKey(disk), difference));
        }

        return new SnapshotDifference(from.Name, to?.Name, isMoving, changes.ToImmutable(), definition);
    }

    /// <summary>The layers that are read; none if a snapshot has gone or has another name.</summary>
    private static IEnumerable<(ShortId Layer, string Path)> Read(Catalog catalog, string first, string? second)
    {
        string?[] names = [first, second];
        if (names.OfType<string>().Any(n => catalog.Snapshots.Values.All(s => s.Name != n && s.Id.ToString() != n)))
        {
            return [];
        }

        var graph = LayerGraph.Of(catalog);
        return
            from name in names
            from disk in Kept(catalog, name is null ? null : catalog.Find(name)).OrderBy(d => d.Key, StringComparer.Ordinal)
            from layer in graph.Chain(disk.Value)
            select (layer.Id, layer.Path);
    }

    private static Dictionary<string, ShortId> Kept(Catalog catalog, Snapshot? snapshot) =>
        snapshot is null ? catalog.Head.Disks.ToDictionary(d => d.Target, d => d.Layer) : Kept(snapshot);

    private ImmutableArray<string> Definition(Catalog catalog, ShortId first, ShortId second) => first == second
        ? []
        : LineDifference.Of(DefinitionStore.ReadXml(folder, catalog, first), DefinitionStore.ReadXml(folder, catalog, second));

    private static Dictionary<string, ShortId> Kept(Snapshot snapshot) =>
        snapshot.Disks.Where(d => d.IsKept).ToDictionary(d => d.Target, d => d.Layer);

    private async Task<DiskDifference> CompareAsync(
        ImmutableArray<Layer> one, ImmutableArray<Layer> other, CancellationToken cancellation)
    {
        await options.Storage.CheckAsync(one, cancellation).ConfigureAwait(false);
        await options.Storage.CheckAsync(other, cancellation).ConfigureAwait(false);
        return await options.Storage.CompareAsync(one, other, cancellation).ConfigureAwait(false);
    }

    /// <summary>A process that does not answer may run as well.</summary>
    private async Task<bool> IsAliveAsync(Catalog catalog, CancellationToken cancellation)
    {
        try
        {
            var definition = DefinitionStore.Read(folder, catalog, catalog.Head.Definition);
            var seen = await options.Hypervisor
                .ObserveAsync(folder, catalog.Head.Process, definition, catalog.Written, cancellation).ConfigureAwait(false);
            return seen.IsAlive;
        }
        catch (CoppiceException e) when (e.Kind is ErrorKind.Hypervisor)
        {
            return true;
        }
    }
}
