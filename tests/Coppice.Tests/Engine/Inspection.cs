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
        var snapshots = catalog.Snapshots.Values.OrderBy(s => s.Name, StringComparer.Ordinal).Select(s =>
            $"{s.Name} '{s.Description}' {s.Parent} {s.State} {s.Consistency} {s.Memory.File}{s.Memory.Layer} {s.Tpm} {string.Join(',', s.Disks)} {string.Join(',', s.Layers.Select(l => $"{l.Path}{l.Inside?.Tag}"))}");
        var tips = catalog.Tips.Select(t => $"tip {t.Id} {t.Memory.File} {Head(t.Head)}");
        return string.Join('\n', [$"name {catalog.Name} {catalog.Persistence}", .. snapshots, .. tips, .. catalog.Jobs.Select(j => $"{j}"), .. catalog.Renames.Select(r => $"{r}"), $"current {catalog.Current}", $"head {Head(catalog.Head)}"]);
    }

    /// <summary>The tree if the head follows the guest and nothing else happens, but that merges were halted before.</summary>
    public static Catalog RolledForward(Catalog old, Catalog next) => old with
    {
        Head = old.Head with { Disks = next.Head.Disks },
        Jobs = [.. old.Jobs.Select(j => j with { Process = null })],
    };

    /// <summary>The tree once the power has failed: a transient domain is gone, or stays if something would be lost with it.</summary>
    public static string AfterPowerLoss(Catalog catalog) =>
        catalog.Persistence is not Persistence.Transient ? Tree(catalog)
        : catalog.Snapshots.Count == 0 && catalog.Tips.IsEmpty ? "none"
        : Staying(catalog);

    /// <summary>The same of one that stays, since its guest has written to layers that would go with it.</summary>
    public static string Staying(Catalog catalog) => catalog.Persistence is not Persistence.Transient ? Tree(catalog)
        : Tree(catalog with { Persistence = Persistence.Persistent, Head = catalog.Head with { Process = null } });

    public static DomainState StateOf(World world) => StateOf(world, world.Exists ? world.Catalog : null);

    public static DomainState StateOf(World world, Catalog? catalog) =>
        catalog?.Head.Process is { } id && world.Host.State.Processes.TryGetValue(id, out var process) ? process.State : DomainState.Off;

    /// <summary>Checks everything that does not depend on what was being done.</summary>
    public static void CheckAll(World world) => CheckAll(world, world.All);

    /// <summary>The same of what was read.</summary>
    public static void CheckAll(World world, IReadOnlyList<(DomainFolder Folder, Catalog Catalog)> domains)
    {
        Assert.Equal(0, world.Host.State.Bad);
        Assert.Empty(world.Host.State.Claims);
        var folders = Directory.Exists(world.Folder.Domains) ? Directory.GetDirectories(world.Folder.Domains) : [];
        Assert.Equal(domains.Select(d => d.Folder.Path), folders.Order(StringComparer.Ordinal));
        CheckFiles(world, domains);
        CheckImages(world, domains);
        foreach (var (folder, catalog) in domains)
        {
            CheckContents(folder, world.Host.State, catalog);
            CheckCards(folder, world.Host.State, catalog);
        }

        Assert.All(world.Host.State.Processes, p =>
            Assert.Contains(p.Key, domains.Single(d => d.Catalog.Domain == p.Value.Domain).Catalog is var c && p.Value.Waits ? c.Spares.Select(s => s.Process) : [c.Head.Process!.Value]));
        Assert.All(world.Host.State.Processes.Values, p => Assert.Null(p.Guard));
        Assert.All(world.Host.State.Merges.Values, m => Assert.Contains(domains.SelectMany(d => d.Catalog.Jobs), j => j.Id == m.Request.Job && j.Process == m.Process));
        Assert.All(world.Host.State.Mirrors.Values, m => Assert.Contains(domains.SelectMany(d => d.Catalog.Mirrors), j => j.Id == m.Request.Job && j.Process == m.Process));
        Assert.All(world.Host.State.Processes.Values, p => Assert.False(p.IsFrozen, "file systems are left frozen"));
    }

    /// <summary>The definition in force.</summary>
    public static DomainDefinition DefinitionOf((DomainFolder Folder, Catalog Catalog) domain) =>
        DefinitionStore.Read(domain.Folder, domain.Catalog, domain.Catalog.Head.Definition);

    /// <summary>A guest has the network cards that its definition says, with their cables.</summary>
    private static void CheckCards(DomainFolder folder, FakeHostState state, Catalog catalog)
    {
        if (catalog.Head.Process is { } id && state.Processes.TryGetValue(id, out var process))
        {
            NetworkDevice[] cards = [.. DefinitionOf((folder, catalog)).Devices.OfType<NetworkDevice>()];
            Assert.Equal(cards.Select(c => c.Mac ?? ""), process.Cards.Values);
            Assert.Equal(cards.Index().Where(c => c.Item.LinkIsUp is false).Select(c => c.Index), process.Pulled.Order());
        }
    }

    /// <summary>The last number on the disks of the head, of a tip or of a snapshot of all, whichever is newer.</summary>
    public static long Kept(World world) => Kept(world, world.Catalog);

    public static long Kept(World world, Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        var heads = catalog.Tips.Select(t => t.Head).Append(catalog.Head).Select(h => h.Disks.Select(d => world.Host.State.Last(graph[d.Layer].Path)).DefaultIfEmpty().Min());
        var snapshots = catalog.Snapshots.Values.Where(s => s.Disks.All(d => d.IsKept));
        return snapshots.Select(s => s.Disks.Select(d => world.Host.State.Last(graph[d.Layer])).DefaultIfEmpty().Min()).Concat(heads).Max();
    }

    private static string Head(Head head) => $"{head.Definition} {head.Process} {string.Join(',', head.Disks)} {head.Saved} {head.Tpm}";

    private static void CheckFiles(World world, IReadOnlyList<(DomainFolder Folder, Catalog Catalog)> domains)
    {
        var files = DiskImage.FilesIn(world.Path1).Order(StringComparer.Ordinal).ToArray();
        var named = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (folder, catalog) in domains)
        {
            var records = files.Where(f => f.StartsWith(folder.CatalogRecords, StringComparison.Ordinal)).ToArray();
            Assert.Equal(catalog.Snapshots.Count, records.Length);
            named.UnionWith([.. catalog.Definitions.Select(folder.Definition), folder.CatalogRoot, .. records]);
        }

        Assert.Equal(named.Order(StringComparer.Ordinal), files.Where(p => !IsForgotten(world, p, named)));
    }

    private static void CheckImages(World world, IReadOnlyList<(DomainFolder Folder, Catalog Catalog)> domains)
    {
        var expected = new HashSet<string>(StringComparer.Ordinal);
        var (listed, needed) = (new List<Layer>(), new List<Layer>());
        foreach (var (folder, catalog) in domains)
        {
            var graph = LayerGraph.Of(catalog);
            expected.UnionWith(graph.All.Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null } && catalog.Mirrors.All(m => m.Target != l.Id || m.Kind is MirrorKind.Commit)).Select(l => l.Path));
            expected.UnionWith(catalog.Spares.SelectMany(s => s.Layers).Select(l => l.Path));
            expected.UnionWith(catalog.Tpms.Select(folder.Tpm));
            listed.AddRange(graph.All);
            needed.AddRange(graph.All.Except(graph.Unreached()));
            CheckChains(world, graph);
            CheckLoans(catalog, domains);
        }

        Assert.Equal(
            expected.Order(StringComparer.Ordinal),
            world.Host.State.Images.Keys.Where(p => !p.StartsWith("/images/", StringComparison.Ordinal) && !IsForgotten(world, p, expected)));

        // One that nobody needs may be listed although it is gone, or was never made: it is removed again when that can be done.
        // What is inside a file that has, or had, several names is not listed under each, and stays; so does what is inside one that
        // was forgotten with its snapshot, or that another domain borrows.
        var borrowed = listed.Where(l => l.Origin is LayerOrigin.Borrowed).Select(l => l.Path).ToHashSet(StringComparer.Ordinal);
        var images = world.Host.State.Images.Where(i => !i.Key.StartsWith($"{world.Export}/", StringComparison.Ordinal)).ToArray();
        Assert.Empty(Inside(images.Where(i => i.Value.FirstName is null && !borrowed.Contains(i.Key) && !world.Forgotten.Contains(i.Key))).Except(Internals(listed)).Except(world.Forgotten));
        Assert.Empty(Internals(needed).Except(Inside(images)));

        var named = domains.SelectMany(d => d.Catalog.Memories).Select(m => m.File).OfType<string>().ToHashSet(StringComparer.Ordinal);
        Assert.Equal(named.Order(StringComparer.Ordinal), world.Host.State.Memories.Keys.Where(p => !IsForgotten(world, p, named)));
    }

    /// <summary>
    /// Every chain is what its catalog says: a second name leads to the same bytes, on the same bytes. A commit makes the layer
    /// that it writes, which has no name, as large as the other when it begins.
    /// </summary>
    private static void CheckChains(World world, LayerGraph graph)
    {
        var named = graph.Named();
        foreach (var top in graph.All)
        {
            Assert.Equal(
                graph.Chain(top.Id).Select(l => world.Host.State.IdentityOf(l.Path)),
                world.Host.State.Chain(top.Path).Select(world.Host.State.IdentityOf));
            var larger = top.Inside is null ? world.Host.State.Images[top.Path].VirtualSize.Bytes - top.VirtualSize.Bytes : 0;
            Assert.True(larger == 0 || (larger > 0 && !named.Contains(top.Id)), $"{top.Path} has another size");
        }
    }

    /// <summary>Whoever borrows is known to whom it borrows from, as long as that is there.</summary>
    private static void CheckLoans(Catalog catalog, IReadOnlyList<(DomainFolder Folder, Catalog Catalog)> domains)
    {
        foreach (var borrowed in LayerGraph.Of(catalog).All.Where(l => l.Origin is LayerOrigin.Borrowed))
        {
            foreach (var (_, owner) in domains)
            {
                var owned = LayerGraph.Of(owner).All.FirstOrDefault(l => l is { Inside: null, Origin: not LayerOrigin.Borrowed } && l.Path == borrowed.Path);
                Assert.True(owned is null || owner.Loans.Contains(new Loan(owned.Id, catalog.Domain)), $"{borrowed.Path} is not lent to {catalog.Name}");
            }
        }
    }

    /// <summary>Files that were kept when their snapshot was forgotten, or that were exported.</summary>
    private static bool IsForgotten(World world, string path, HashSet<string> named) =>
        (world.Forgotten.Contains(path) && !named.Contains(path)) || path.StartsWith($"{world.Export}/", StringComparison.Ordinal);

    private static IEnumerable<string> Inside(IEnumerable<KeyValuePair<string, FakeImage>> images) =>
        images.SelectMany(i => i.Value.Internals.Keys.Select(t => $"{i.Key} {t}"));

    private static IEnumerable<string> Internals(IEnumerable<Layer> layers) =>
        layers.Where(l => l.Inside is not null).Select(l => $"{l.Path} {l.Inside!.Tag}");

    /// <summary>The disks and the memory of each snapshot, tip and process are of one instant.</summary>
    private static void CheckContents(DomainFolder folder, FakeHostState host, Catalog catalog)
    {
        var graph = LayerGraph.Of(catalog);
        foreach (var snapshot in catalog.Snapshots.Values)
        {
            CheckInstant(snapshot.Disks.Where(d => d.IsKept).Select(d => host.Last(graph[d.Layer])).Concat(Tpm(snapshot.Tpm)), snapshot.Memory);
        }

        foreach (var tip in catalog.Tips)
        {
            CheckInstant(tip.Head.Disks.Select(d => host.Last(graph[d.Layer].Path)).Concat(Tpm(tip.Head.Tpm)), tip.Memory);
        }

        foreach (var head in catalog.Tips.Select(t => t.Head).Append(catalog.Head).Where(h => h.Saved is not null))
        {
            Assert.All(head.Disks, d => Assert.Equal(Counter(host, head.Saved!.Image, graph), host.Last(graph[d.Layer])));
        }

        CheckMark(host, catalog, graph);
        var all = host.Processes.Where(p => p.Value.Domain == catalog.Domain).ToArray();
        foreach (var (id, process) in all)
        {
            var spare = catalog.Spares.FirstOrDefault(s => s.Process == id);
            var layers = (spare?.Layers ?? []).ToDictionary(l => l.Id, l => l.Path);
            Assert.All(process.Drives, d => Assert.Equal(process.Counter, host.Last(d.Path)));
            IEnumerable<string> needed =
            [
                .. (spare?.Disks ?? catalog.Head.Disks).Select(d => layers.GetValueOrDefault(d.Layer) ?? graph[d.Layer].Path),
                .. (spare is null ? catalog.Head.Tpm : spare.Tpm) is { } tpm ? [folder.Tpm(tpm)] : Array.Empty<string>(),
            ];
            Assert.Equal(needed.Order(StringComparer.Ordinal), process.Drives.Select(d => d.Path).Order(StringComparer.Ordinal));
        }

        // One that runs has the tap device of its definition; beside another it would not.
        var taps = DefinitionStore.Read(folder, catalog, catalog.Head.Definition).Devices.OfType<NetworkDevice>().Select(n => n.Tap?.Name);
        Assert.All(all, p => Assert.Equal(p.Value.Waits ? [] : taps.OfType<string>(), p.Value.Taps));

        void CheckInstant(IEnumerable<long> numbers, MemoryImage memory)
        {
            long[] all = [.. numbers.Concat(Counter(host, memory, graph) is { } counter ? [counter] : []).Distinct()];
            Assert.True(all.Length <= 1, $"of several instants: {string.Join(", ", all)}");
        }

        IEnumerable<long> Tpm(ShortId? state) => state is { } id ? [host.Last(folder.Tpm(id))] : [];
    }

    /// <summary>A head that is said to be clean has what its snapshot has, whatever crashed meanwhile (R168).</summary>
    private static void CheckMark(FakeHostState host, Catalog catalog, LayerGraph graph)
    {
        if (catalog.Head.SameAs is not { } same)
        {
            return;
        }

        var snapshot = catalog.Snapshots[same];
        Assert.Equal(snapshot.Definition, catalog.Head.Definition);
        Assert.All(snapshot.Disks.Where(d => d.IsKept), d => Assert.Equal(
            host.Last(graph[d.Layer]), host.Last(graph[catalog.Head.Disks.Single(h => h.Target == d.Target).Layer])));
        if (catalog.Head.Process is { } id && host.Processes.TryGetValue(id, out var process))
        {
            Assert.NotEqual(DomainState.Running, process.State);
            Assert.Equal(Counter(host, snapshot.Memory, graph) ?? process.Counter, process.Counter);
        }
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
