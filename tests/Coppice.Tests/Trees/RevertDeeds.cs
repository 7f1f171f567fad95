using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What moves the head, and what is done to what it left.</summary>
internal static class RevertDeeds
{
    public static IReadOnlyList<Deed> All { get; } =
    [
        new("revert", d => Revert(d) with { Force = d.Chance(4) }) { Weight = 4, Head = Reverted, ChangesDisks = true, When = s => s.HasSnapshots },
        new("revert, discarding", d => Revert(d) with { DiscardCurrent = true, Force = d.Chance(4) })
        {
            Head = Reverted, ChangesDisks = true, Discards = true, When = s => s.HasSnapshots,
        },
        new("revert, paused", d => Revert(d) with { State = RevertState.Paused, Force = true })
        {
            Head = Reverted, ChangesDisks = true, NeedsMachine = true, When = s => s.HasSnapshots,
        },
        new("revert, running", d => Revert(d) with { State = RevertState.Running, Force = d.Chance(2), SyncTime = d.Chance(2) })
        {
            Head = Reverted, ChangesDisks = true, NeedsMachine = true, When = s => s.HasSnapshots,
        },
        new("revert with a checkpoint", d => Revert(d) with { Checkpoint = new CreateSnapshot(d.Domain) { Name = d.NewName } })
        {
            Weight = 2, Head = Reverted, ChangesDisks = true, When = s => s.HasSnapshots,
        },
        new("revert to the latest", d => Revert(d) with { Latest = true, DiscardCurrent = d.Chance(4) })
        {
            Head = Latest, ChangesDisks = true, Discards = true, When = s => s.HasSnapshots && s.HasTips,
        },
        new("revert, discarding descendants", d => Revert(d) with { DiscardDescendants = true })
        {
            Head = Reverted, ChangesDisks = true, Discards = true, When = s => s.HasSnapshots,
            Drops = (c, r) => DeleteDeeds.Below(c, [c.Find(((RevertSnapshot)r).Snapshot!).Id]),
            DropsTips = (c, r) => TipsBelow(c, c.Find(((RevertSnapshot)r).Snapshot!).Id),
        },
        new("undo", d => new UndoRevert(d.Domain, Force: d.Chance(4)))
        {
            Weight = 2, Head = (s, _) => s.Sight.Tips[s.Catalog.Tips[^1].Id], ChangesDisks = true, When = s => s.HasTips,
        },
        new("tips revert", d => new RevertToTip(d.Domain, d.Tip, Force: d.Chance(4)))
        {
            Weight = 2, Head = (s, r) => s.Sight.Tips[new ShortId(((RevertToTip)r).Tip)], ChangesDisks = true, When = s => s.HasTips,
        },
        new("tips drop", d => new DropTips(d.Domain) { Tips = [d.Tip], AllBut = d.Chance(3) ? new TipRetention(d.Random.Next(3), null) : null })
        {
            When = s => s.HasTips, DropsTips = Dropped,
        },
        new("warm", d => new WarmSnapshot(d.Domain, d.Snapshot, d.Random.Next(3)))
        {
            Weight = 3, NeedsMachine = true, When = s => s.HasSnapshots,
        },
        new("map", d => new MapSnapshot(d.Domain, d.Snapshot)) { NeedsMachine = true, When = s => s.HasSnapshots },
        new("tips keep", d => new KeepTips(d.Domain, d.Chance(2) ? TipRetention.Forever : new TipRetention(d.Random.Next(4), null))),
    ];

    /// <summary>
    /// What a head has on a snapshot: disks that took no part in it stay as they are, or come back if they are only read; those that
    /// it does not know go.
    /// </summary>
    public static Contents On(Sight before, Snapshot snapshot) => before.NotKept[snapshot.Id]
        .With(before.Head.Only(snapshot.Disks.Select(d => d.Target))).With(before.Snapshots[snapshot.Id]);

    private static RevertSnapshot Revert(Draw draw) =>
        new(draw.Domain, draw.Snapshot, RevertState.AsTaken, DiscardCurrent: false, Force: false);

    private static Contents Reverted(Scene scene, Request request) => On(scene.Sight, scene.Catalog.Find(((RevertSnapshot)request).Snapshot!));

    private static Contents Latest(Scene scene, Request request)
    {
        var from = scene.Catalog.Find(((RevertSnapshot)request).Snapshot!).Id;
        return scene.Sight.Tips[scene.Catalog.Tips.Last(t => t.Current == from).Id];
    }

    private static IEnumerable<ShortId> TipsBelow(Catalog catalog, SnapshotId snapshot)
    {
        var gone = DeleteDeeds.Below(catalog, [snapshot]).Append(snapshot).ToHashSet();
        return catalog.Tips.Where(t => t.Current is { } from && gone.Contains(from)).Select(t => t.Id);
    }

    private static IEnumerable<ShortId> Dropped(Catalog catalog, Request request)
    {
        var drop = (DropTips)request;
        var rest = drop.AllBut is { Last: { } last } ? catalog.Tips.SkipLast(last).Select(t => t.Id) : [];
        return drop.Tips.Select(t => new ShortId(t)).Concat(rest);
    }
}
