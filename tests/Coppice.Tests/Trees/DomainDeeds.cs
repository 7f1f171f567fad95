using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What makes domains and lets them go, and what changes what they are.</summary>
internal static class DomainDeeds
{
    private const int MostDomains = 5;

    public static IReadOnlyList<Deed> All { get; } =
    [
        new("fork", d => new ForkSnapshot(d.Domain, d.Snapshot, NewDomain(d)) { Network = d.One(Enum.GetValues<ForkNetwork>()) })
        {
            Weight = 4, Makes = Forked, When = s => s.HasSnapshots && s.Home.Length < MostDomains,
        },
        new("fork and start", d => new ForkSnapshot(d.Domain, d.Snapshot, NewDomain(d)) { State = d.One(ForkState.Running, ForkState.Paused) })
        {
            Weight = 2, NeedsMachine = true, Makes = Forked, When = s => s.HasSnapshots && s.Home.Length < MostDomains,
        },
        new("snapshot attach", d => new AttachSnapshotDisk(d.Domain, d.Snapshot, d.Chance(2) ? "vda" : "vdb", d.Other)
        {
            // A guest of the fake machine expects its number on every disk.
            ReadOnly = !d.Scene.Orchard.HasMachine && d.Chance(2),
        })
        {
            Weight = 2, ChangesDisks = true, Changes = r => ((AttachSnapshotDisk)r).To, Gains = Attached,
            When = s => s.HasSnapshots, Bears = s => s.Home.Where(o => o != s.Sight).All(o => new Scene(s.Orchard, s.Home, o).CanGainDisk),
        },
        new("disk attach", d => new AttachDisk(d.Domain, d.Scene.Orchard.Spare)) { ChangesDisks = true, Bears = s => s.CanGainDisk },
        new("disk detach", d => new DetachDisk(d.Domain, d.Disk, Discard: false)) { ChangesDisks = true, When = HasMoreDisks },
        new("disk detach, discarding", d => new DetachDisk(d.Domain, d.Disk, Discard: true)) { ChangesDisks = true, Discards = true, When = HasMoreDisks },
        new("define", d => new DefineDomain(d.One(d.Scene.Definable)))
        {
            Changes = r => ((DefineDomain)r).Definition.Name, Makes = (_, _) => null, When = s => s.Definable.Length > 0,
        },
        new("redefine", d => new DefineDomain(d.Scene.Sight.View.Definition with { VirtualCpus = d.Random.Next(1, 5) }))
        {
            Changes = r => ((DefineDomain)r).Definition.Name,
        },
        new("run transient", d => new RunTransient(d.One(d.Scene.Definable), Paused: d.Chance(3)))
        {
            NeedsMachine = true, Changes = r => ((RunTransient)r).Definition.Name, Makes = (_, _) => null, When = s => s.Definable.Length > 0,
        },
        new("undefine", d => new UndefineDomain(d.Domain, Snapshots: false)) { Ends = true, When = s => s.Home.Length > 1 },
        new("undefine with snapshots", d => new UndefineDomain(d.Domain, Snapshots: true)) { Weight = 2, Ends = true, When = s => s.Home.Length > 1 && !s.IsAlive },
        new("rename", d => new RenameDomain(d.Domain, NewDomain(d))),
        new("define as it is", d => new RedefineRunning(d.Domain, d.Scene.Sight.View.Definition with { Title = $"title {d.Random.Next(3)}" })) { When = s => s.IsAlive },
        new("edit domain", d => new EditDomain(d.Domain, d.Chance(2) ? $"title {d.Random.Next(3)}" : "", d.Chance(2) ? $"said {d.Random.Next(3)}" : null)),
        new("persist", d => new PersistDomain(d.Domain)),
        new("release", d => new ReleaseDomain(d.Domain)),
        new("autostart", d => new SetAutostart(d.Domain, d.Chance(2))),
        new("resize", d => new ResizeDisk(d.Domain, d.Disk, new ByteCount((8L + d.Random.Next(8)) << 20))),
    ];

    private static string NewDomain(Draw draw) => $"d{draw.Random.Next(1000)}";

    private static bool HasMoreDisks(Scene scene) => scene.Catalog.Head.Disks.Length > 1;

    private static Contents Forked(Scene scene, Request request) => scene.Sight[((ForkSnapshot)request).Snapshot];

    private static string Attached(Scene scene, Request request)
    {
        var attach = (AttachSnapshotDisk)request;
        return scene[attach.Domain][attach.Snapshot][attach.Disk];
    }
}
