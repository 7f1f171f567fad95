namespace Coppice.Core;

/// <summary>
/// Warns before a file system fills up: a guest whose layer cannot grow stands still with an I/O error. What is too little is 5 %
/// of the file system, or 2 GiB if that is less.
/// </summary>
internal static class LowSpace
{
    private const long MostNeeded = 2L << 30;
    private const int Parts = 20;

    /// <summary>Adds the warnings to a plan that makes layers or memory images.</summary>
    public static Plan Warn(PlanContext context, Plan plan)
    {
        var made = plan.Steps.SelectMany(s => s.Files).Where(f => f.Effect is FileEffect.Create).ToArray();
        var fork = context.Observed.Fork;

        // A fork goes on on the file system of the layer that it shares, and has its memory in the same home.
        var memory = context.Observed.Folder.MemoryFolder;
        var places = context.Observed.Layers.Values.SelectMany(l => new[]
        {
            (Folder: l.OverlayFolder, l.Free, l.Capacity),
            (Folder: fork?.Layers.GetValueOrDefault(l.Layer)?.Folder ?? l.OverlayFolder, l.Free, l.Capacity),
            (Folder: memory, Free: l.FreeForMemory, Capacity: l.CapacityForMemory),
            (Folder: fork?.Folder.MemoryFolder ?? memory, Free: l.FreeForMemory, Capacity: l.CapacityForMemory),
        });

        // Folders with the same figures are on one file system.
        var warnings =
            from place in places.DistinctBy(p => p.Folder).OrderBy(p => p.Folder, StringComparer.Ordinal)
            group place.Folder by (place.Free, place.Capacity) into system
            let inside = made.Where(f => system.Contains(Path.GetDirectoryName(f.Path))).ToArray()
            let left = system.Key.Free.Bytes - inside.Sum(f => f.Bytes.Bytes)
            where inside.Length > 0 && left < Math.Min(system.Key.Capacity.Bytes / Parts, MostNeeded)
            select $"about {new ByteCount(Math.Max(left, 0))} of {system.Key.Capacity} are left on the file system of {Path.GetDirectoryName(inside[0].Path)}: "
                + $"make room before it is full{WaysOut(context, system.ToHashSet(StringComparer.Ordinal))}";
        return plan with { Warnings = [.. plan.Warnings, .. warnings] };
    }

    /// <summary>What frees room in some folders, as far as the domain has anything there that may go.</summary>
    private static string WaysOut(PlanContext context, HashSet<string> folders)
    {
        var (catalog, graph) = (context.Catalog, context.Graph);
        var unnamed = context.UnnamedIn(catalog).Where(u => u.CanMerge).Select(u => u.Lower);
        var others = catalog.Snapshots.Values.Where(s => s.Id != catalog.Current);
        (bool Applies, string Command)[] ways =
        [
            (unnamed.Concat(graph.Unreached()).Any(l => IsThere(l.Path)), $"gc {catalog.Name}"),
            (catalog.Tips.SelectMany(graph.OnlyOf).Any(IsThere), $"tips drop {catalog.Name} TIP"),
            (others.SelectMany(Files).Any(IsThere), $"prune {catalog.Name} --keep-last N"),
        ];
        var apply = ways.Where(w => w.Applies).Select(w => $"coppice {w.Command}").ToArray();
        return apply.Length == 0 ? "" : $" ({string.Join(", ", apply)})";

        bool IsThere(string path) => Path.GetDirectoryName(path) is { } folder && folders.Contains(folder);
    }

    private static IEnumerable<string> Files(Snapshot snapshot) => snapshot.Layers.Where(l => l.Origin is LayerOrigin.Coppice)
        .Select(l => l.Path).Concat(snapshot.Memory is { File: { } file, Origin: LayerOrigin.Coppice } ? [file] : []);
}
