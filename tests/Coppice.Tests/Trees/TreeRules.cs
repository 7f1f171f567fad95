using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What an operation may do to what the domains of a home can return to, and what not.</summary>
internal static class TreeRules
{
    /// <summary>Compares a home before and after an operation.</summary>
    /// <param name="was">What there was.</param>
    /// <param name="now">What there is.</param>
    /// <param name="deed">The operation.</param>
    /// <param name="request">The same as it was asked for.</param>
    /// <param name="isDone">Whether it was done; null if nobody knows, and it must show.</param>
    public static void Check(Scene was, ImmutableArray<Sight> now, Deed deed, Request request, bool? isDone)
    {
        var changed = deed.Changes(request);
        foreach (var old in was.Home)
        {
            if (now.FirstOrDefault(d => d.Catalog.Domain == old.Catalog.Domain) is not { } found)
            {
                Assert.True(old.Catalog.Name == changed && (deed.Ends || GoesWithItsProcess(old)) && isDone is not false, $"domain {old.Catalog.Name} is gone");
            }
            else if (old.Catalog.Name == changed && (isDone ?? AreDifferent(old, found)))
            {
                Assert.False(deed.Ends && isDone is true, $"domain {changed} is still there");
                Check(was, old, found, deed, request);
            }
            else
            {
                CheckSame(old, found);
            }
        }

        var known = was.Home.Select(d => d.Catalog.Domain).ToHashSet();
        CheckMade(was, [.. now.Where(d => !known.Contains(d.Catalog.Domain))], deed, request, isDone);
    }

    /// <summary>What must hold also if guests wrote meanwhile, or the power failed: nothing that can be returned to has changed, and no domain has come or gone unasked.</summary>
    public static void CheckKept(ImmutableArray<Sight> before, ImmutableArray<Sight> now, Deed deed, Request request)
    {
        foreach (var old in before)
        {
            if (now.FirstOrDefault(d => d.Catalog.Domain == old.Catalog.Domain) is { } found)
            {
                CheckKept(old, found);
            }
            else
            {
                Assert.True(GoesWithItsProcess(old) || (deed.Ends && old.Catalog.Name == deed.Changes(request)), $"domain {old.Catalog.Name} is gone");
            }
        }

        Assert.True(deed.Makes is not null || now.All(d => before.Any(o => o.Catalog.Domain == d.Catalog.Domain)), "there is a domain more");
    }

    public static void CheckSame(Sight old, Sight now)
    {
        CheckKept(old, now);
        Assert.Equal(old.Head, now.Head);
        Assert.Equal(Tree(old.Catalog), Tree(now.Catalog));
    }

    /// <summary>Snapshots and tips that are still there hold what they held.</summary>
    /// <remarks>A disk that took no part in a revert is the head's and the tip's: what is written to it, both have.</remarks>
    public static void CheckKept(Sight old, Sight now)
    {
        foreach (var (id, held) in old.Snapshots.Where(s => now.Snapshots.ContainsKey(s.Key)))
        {
            Assert.True(held.Equals(now.Snapshots[id]), $"snapshot {now.Catalog.Snapshots[id].Name} held {held}, and holds {now.Snapshots[id]}");
        }

        foreach (var tip in old.Catalog.Tips.Where(t => now.Tips.ContainsKey(t.Id)))
        {
            var held = old.Settled(tip);
            Assert.True(held.IsIn(now.Tips[tip.Id]), $"tip {tip.Id} held {held}, and holds {now.Tips[tip.Id]}");
        }
    }

    /// <summary>Whether a user sees another tree or head. A merge that whoever came next has finished shows in neither.</summary>
    private static bool AreDifferent(Sight old, Sight now) => Tree(old.Catalog) != Tree(now.Catalog) || !old.Head.Equals(now.Head);

    /// <summary>A domain that exists only as long as it runs, and has nothing to return to.</summary>
    private static bool GoesWithItsProcess(Sight sight) =>
        sight.Catalog is { Persistence: Persistence.Transient, Snapshots.Count: 0, Tips.IsEmpty: true };

    private static void CheckMade(Scene was, ImmutableArray<Sight> made, Deed deed, Request request, bool? isDone)
    {
        var expected = deed.Makes is null || isDone is false ? 0 : 1;
        Assert.True(made.Length == expected || (isDone is null && made.IsEmpty), $"{made.Length} domains are made instead of {expected}");
        foreach (var domain in made)
        {
            if (deed.Makes!(was, request) is not { } begins)
            {
                Assert.Empty(domain.Snapshots);
                continue;
            }

            Assert.True(begins.IsIn(domain.Head), $"the fork of {begins} is {domain.Head}");
            Assert.Equal(begins, Assert.Single(domain.Snapshots).Value);
            Assert.Empty(domain.Tips);
        }
    }

    private static void Check(Scene was, Sight old, Sight now, Deed deed, Request request)
    {
        CheckKept(old, now);
        CheckSnapshots(was, old, now, deed, request);
        CheckTips(old, now, deed, request);
        CheckHead(was, old, now, deed, request);

        // Where disks part, as by a snapshot of one of them, each is somewhere; also in an image that the user has anyway, or in another
        // domain, with which it is shared (R176). One to which nothing was ever written can be made again.
        var elsewhere = was.Home.Where(d => d != old).SelectMany(d => d.All).Concat(old.Brought).ToArray();
        foreach (var disk in deed.Discards ? [] : old.Head.Disks.Each.Where(d => !d.IsBlank && !elsewhere.Any(d.IsSomewhereIn)))
        {
            Assert.True(now.All.Any(disk.IsSomewhereIn), $"{disk} is lost; there is {string.Join("\n", now.All)}");
        }
    }

    private static void CheckSnapshots(Scene was, Sight old, Sight now, Deed deed, Request request)
    {
        var dropped = (deed.Drops?.Invoke(old.Catalog, request) ?? []).ToHashSet();
        var gone = old.Snapshots.Keys.Except(now.Snapshots.Keys).ToHashSet();
        if (deed.DropsWhatBuildsOn)
        {
            dropped.UnionWith(gone.Where(id => BuildsOn(old.Catalog, old.Catalog.Snapshots[id], dropped)));
        }

        Assert.Equal(Names(old, dropped), Names(old, gone));
        foreach (var (id, holds) in now.Snapshots.Where(s => !deed.Finds && !old.Snapshots.ContainsKey(s.Key)))
        {
            var isNamed = deed.Holds is not null && now.Catalog.Snapshots[id].Name == (request as CreateSnapshot)?.Name;
            var from = isNamed || request is RedefineSnapshot ? deed.Holds!(was, request) : old.Head;
            Assert.True(holds.IsIn(from), $"new snapshot {now.Catalog.Snapshots[id].Name} holds {holds} instead of {from}");
        }
    }

    /// <summary>A new tip holds what the head held. What went, the head has, or was asked for, or was not to be kept any longer.</summary>
    private static void CheckTips(Sight old, Sight now, Deed deed, Request request)
    {
        var made = now.Tips.Keys.Except(old.Tips.Keys).ToArray();
        Assert.All(made, id => Assert.Equal(old.Head, now.Tips[id]));
        var asked = deed.DropsTips?.Invoke(old.Catalog, request).ToHashSet() ?? [];
        foreach (var tip in old.Catalog.Tips.Where(t => !now.Tips.ContainsKey(t.Id) && !asked.Contains(t.Id)))
        {
            var younger = old.Catalog.Tips.Count(t => t.LeftAt >= tip.LeftAt && now.Tips.ContainsKey(t.Id)) + made.Length;
            var isOver = made.Length > 0 && old.Catalog.TipRetention.Last is { } last && younger >= last;
            var isBuilt = deed.DropsWhatBuildsOn && old.Catalog.Snapshots.Count > now.Catalog.Snapshots.Count;
            Assert.True(isOver || isBuilt || old.Tips[tip.Id].Disks.Each.All(d => now.All.Any(d.IsIn)), $"tip {tip.Id} is gone");
        }
    }

    /// <summary>A domain that was started or ended has another memory than before, but only that.</summary>
    private static void CheckHead(Scene was, Sight old, Sight now, Deed deed, Request request)
    {
        var expected = deed.Head?.Invoke(was with { Sight = old }, request) ?? old.Head;
        if (deed.ChangesDisks && deed.Head is null)
        {
            Assert.True(expected.Disks.Agrees(now.Head.Disks), $"{expected} became {now.Head}");
            var more = now.Head.Targets.Except(old.Head.Targets).ToArray();
            Assert.All(more, t => Assert.True(
                deed.Gains is null || now.View.Hypervisor.IsAlive || now.Head[t] == deed.Gains(was, request), $"new disk {t} holds {now.Head[t]}"));
            return;
        }

        Assert.Equal(expected.Disks, now.Head.Disks);
        if (deed.Head is not null)
        {
            Assert.True(expected.IsIn(now.Head) || expected.Disks.Equals(expected), $"{expected} became {now.Head}");
        }
    }

    /// <summary>Whether a snapshot was taken on one that goes, or has layers that only those have.</summary>
    private static bool BuildsOn(Catalog catalog, Snapshot snapshot, HashSet<SnapshotId> dropped)
    {
        var graph = LayerGraph.Of(catalog);
        var layers = dropped.SelectMany(id => catalog.Snapshots[id].Disks).Where(d => d.IsKept).Select(d => d.Layer).ToHashSet();
        return DeleteDeeds.Below(catalog, dropped).Contains(snapshot.Id)
            || snapshot.Disks.Where(d => d.IsKept).Any(d => graph.Chain(d.Layer).Any(l => layers.Contains(l.Id)));
    }

    /// <summary>What a user sees of a tree. Merges go on below it, whatever is done.</summary>
    private static string Tree(Catalog catalog)
    {
        var snapshots = catalog.Snapshots.Values.Select(s => $"{s.Id} {s.Name} '{s.Description}' of {s.Parent} {s.State}").Order(StringComparer.Ordinal);
        return string.Join('\n', [catalog.Name, $"{catalog.Current}", .. snapshots, .. catalog.Tips.Select(t => $"tip {t.Id}")]);
    }

    private static IEnumerable<string> Names(Sight sight, IEnumerable<SnapshotId> ids) =>
        ids.Select(id => sight.Catalog.Snapshots[id].Name).Order(StringComparer.Ordinal);
}
