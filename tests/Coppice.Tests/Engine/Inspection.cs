using Coppice.Contracts.Fakes;
using Coppice.Core;
using Coppice.Engine;

namespace Coppice.Tests.Engine;

/// <summary>What must hold of a home at all times, whatever happened to it.</summary>
internal static class Inspection
{
    /// <summary>The tree, without what counts revisions.</summary>
    public static string Tree(Catalog catalog)
    {
        var snapshots = catalog.Snapshots.Values.OrderBy(s => s.Id.Value).Select(s =>
            $"{s.Name} '{s.Description}' {s.Parent} {s.State} {s.Memory.File}{s.Memory.Layer} {s.Tpm} {string.Join(',', s.Disks)} {string.Join(',', s.Layers.Select(l => $"{l.Path}{l.Inside?.Tag}"))}");
        var tips = catalog.Tips.Select(t => $"tip {t.Id} {t.Memory.File} {Head(t.Head)}");
        return string.Join('\n', [$"name {catalog.Name} {catalog.Persistence}", .. snapshots, .. tips, $"current {catalog.Current}", $"head {Head(catalog.Head)}"]);
    }

    /// <summary>The tree if the head follows the guest and nothing else happens.</summary>
    public static Catalog RolledForward(Catalog old, Catalog next) => old with { Head = old.Head with { Disks = next.Head.Disks } };

    /// <summary>The tree once the power has failed: a transient domain is gone, or stays if something would be lost with it.</summary>
    public static string AfterPowerLoss(Catalog catalog) =>
        catalog.Persistence is not Persistence.Transient ? Tree(catalog)
        : catalog.Snapshots.IsEmpty && catalog.Tips.IsEmpty ? "none"
        : Tree(catalog with { Persistence = Persistence.Persistent, Head = catalog.Head with { Process = null } });

    public static DomainState StateOf(World world) =>
        world.Exists && world.Catalog.Head.Process is { } id && world.Host.State.Processes.TryGetValue(id, out var process)
            ? process.State
            : DomainState.Off;

    /// <summary>Checks everything that does not depend on what was being done.</summary>
    public static void CheckAll(World world)
    {
        Assert.Equal(0, world.Host.State.Bad);
        if (!world.Exists)
        {
            Assert.False(Directory.Exists(world.Domain.Path), "a folder without a catalog is left");
            Assert.Empty(world.Host.State.Memories);
            Assert.All(world.Host.State.Images.Keys, path => Assert.StartsWith("/images/", path));
            Assert.All(world.Host.State.Images.Values, image => Assert.Empty(image.Internals));
            Assert.Empty(world.Host.State.Processes);
            return;
        }

        var catalog = world.Catalog;
        CheckFiles(world, catalog);
        CheckImages(world, catalog);
        CheckContents(world, world.Host.State, catalog);
        Assert.All(world.Host.State.Processes, p => Assert.Equal(catalog.Head.Process, p.Key));
        Assert.All(world.Host.State.Processes.Values, p => Assert.Null(p.Guard));
    }

    /// <summary>The last number on the disks of the head or of a tip, whichever is newer.</summary>
    public static long Kept(World world)
    {
        var catalog = world.Catalog;
        var graph = new LayerGraph(catalog);
        return catalog.Tips.Select(t => t.Head).Append(catalog.Head).Max(h => h.Disks.Min(d => world.Host.State.Last(graph[d.Layer].Path)));
    }

    private static string Head(Head head) => $"{head.Definition} {head.Process} {string.Join(',', head.Disks)} {head.Saved} {head.Tpm}";

    private static void CheckFiles(World world, Catalog catalog)
    {
        var definitions = catalog.Snapshots.Values.Select(s => s.Definition)
            .Concat(catalog.Tips.Select(t => t.Head.Definition)).Append(catalog.Head.Definition).Distinct();
        var records = DiskImage.Read(world.Path1).Files.Keys.Where(f => f.StartsWith(world.Domain.CatalogRecords, StringComparison.Ordinal)).ToArray();
        Assert.Equal(catalog.Snapshots.Count, records.Length);
        var named = definitions.Select(world.Domain.Definition).Append(world.Domain.CatalogRoot).Concat(records).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(
            named.Order(StringComparer.Ordinal),
            DiskImage.Read(world.Path1).Files.Keys.Where(p => !IsForgotten(world, p, named)));
    }

    private static void CheckImages(World world, Catalog catalog)
    {
        var graph = new LayerGraph(catalog);
        var ours = graph.All.Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null }).Select(l => l.Path).Order(StringComparer.Ordinal);
        var expected = ours.Concat(catalog.Tpms.Select(world.Domain.Tpm)).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(
            expected.Order(StringComparer.Ordinal),
            world.Host.State.Images.Keys.Where(p => !p.StartsWith("/images/", StringComparison.Ordinal) && !IsForgotten(world, p, expected)));
        foreach (var top in graph.All)
        {
            Assert.Equal(graph.Chain(top.Id).Select(l => l.Path), world.Host.State.Chain(top.Path));
            Assert.True(top.Inside is not null || top.VirtualSize == world.Host.State.Images[top.Path].VirtualSize, $"{top.Path} has another size");
        }

        // One that nobody needs may be listed although it is gone, or was never made: it is removed again when that can be done.
        var inside = world.Host.State.Images.SelectMany(i => i.Value.Internals.Keys.Select(t => $"{i.Key} {t}")).ToArray();
        Assert.Empty(inside.Except(Internals(graph.All)).Except(world.Forgotten));
        Assert.Empty(Internals(graph.All.Except(graph.Unreached())).Except(inside));

        var memories = catalog.Snapshots.Values.Select(s => s.Memory).Concat(catalog.Tips.Select(t => t.Memory))
            .Concat(catalog.Tips.Select(t => t.Head).Append(catalog.Head).Select(h => h.Saved?.Image).OfType<MemoryImage>())
            .Select(m => m.File).OfType<string>().Distinct();
        var named = memories.ToHashSet(StringComparer.Ordinal);
        Assert.Equal(named.Order(StringComparer.Ordinal), world.Host.State.Memories.Keys.Where(p => !IsForgotten(world, p, named)));
    }

    /// <summary>Files that were kept when their snapshot was forgotten.</summary>
    private static bool IsForgotten(World world, string path, HashSet<string> named) => world.Forgotten.Contains(path) && !named.Contains(path);

    private static IEnumerable<string> Internals(IEnumerable<Layer> layers) =>
        layers.Where(l => l.Inside is not null).Select(l => $"{l.Path} {l.Inside!.Tag}");

    /// <summary>The disks and the memory of each snapshot, tip and process are of one instant.</summary>
    private static void CheckContents(World world, FakeHostState host, Catalog catalog)
    {
        var graph = new LayerGraph(catalog);
        foreach (var snapshot in catalog.Snapshots.Values)
        {
            var disks = snapshot.Disks.Where(d => d.IsKept).Select(d => host.Last(graph[d.Layer])).Concat(Tpm(snapshot.Tpm));
            Assert.Single(disks.Append(Counter(host, snapshot.Memory, graph) ?? disks.First()).Distinct());
        }

        foreach (var tip in catalog.Tips)
        {
            var disks = tip.Head.Disks.Select(d => host.Last(graph[d.Layer].Path)).Concat(Tpm(tip.Head.Tpm));
            Assert.Single(disks.Append(Counter(host, tip.Memory, graph) ?? disks.First()).Distinct());
        }

        foreach (var head in catalog.Tips.Select(t => t.Head).Append(catalog.Head).Where(h => h.Saved is not null))
        {
            Assert.All(head.Disks, d => Assert.Equal(Counter(host, head.Saved!.Image, graph), host.Last(graph[d.Layer])));
        }

        foreach (var process in host.Processes.Values)
        {
            Assert.All(process.Drives, d => Assert.Equal(process.Counter, host.Last(d.Path)));
            Assert.Equal(
                [.. catalog.Head.Disks.Select(d => graph[d.Layer].Path), .. catalog.Head.Tpm is { } tpm ? [world.Domain.Tpm(tpm)] : Array.Empty<string>()],
                process.Drives.Select(d => d.Path));
        }

        // One that runs has the tap device of its definition; beside another it would not.
        var taps = DefinitionStore.Read(world.Domain, catalog, catalog.Head.Definition).Devices.OfType<NetworkDevice>().Select(n => n.Tap?.Name);
        Assert.All(host.Processes.Values, p => Assert.Equal(taps.OfType<string>(), p.Taps));

        IEnumerable<long> Tpm(ShortId? state) => state is { } id ? [host.Last(world.Domain.Tpm(id))] : [];
    }

    private static long? Counter(FakeHostState host, MemoryImage memory, LayerGraph graph)
    {
        if (memory.Layer is { } id)
        {
            return host.Images[graph[id].Path].Internals[graph[id].Inside!.Tag].Memory ?? throw new InvalidDataException("no memory inside");
        }

        if (memory.File is null)
        {
            return null;
        }

        Assert.True(host.Memories[memory.File].IsComplete);
        return host.Memories[memory.File].Counter;
    }
}
