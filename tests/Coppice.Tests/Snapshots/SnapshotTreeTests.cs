using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Snapshots;

public sealed class SnapshotTreeTests
{
    private static readonly MemoryImage s_file = new() { Mode = MemoryMode.External, File = "/m" };
    private static readonly MemoryImage s_inside = new() { Mode = MemoryMode.Internal, Disk = "vda" };

    // install ── boot ── work ── mixed
    //         └─ patch
    // other
    private static readonly Catalog s_catalog = Catalog(
        Take("install", null, 5, DomainState.Off, MemoryImage.None, DiskMode.Internal),
        Take("boot", "install", 2, DomainState.Running, s_file, DiskMode.External),
        Take("patch", "install", 3, DomainState.Paused, MemoryImage.None, DiskMode.External),
        Take("work", "boot", 4, DomainState.Running, s_inside, DiskMode.Internal),
        Take("mixed", "work", 1, DomainState.Saved, s_file, DiskMode.Internal),
        Take("other", null, 6, DomainState.Off, MemoryImage.None, DiskMode.External));

    private static readonly SnapshotTree s_tree = new(s_catalog);

    [Theory]
    [InlineData(SnapshotTraits.None, "mixed boot patch work install other")]
    [InlineData(SnapshotTraits.Leaf, "mixed patch other")]
    [InlineData(SnapshotTraits.Inner, "boot work install")]
    [InlineData(SnapshotTraits.Leaf | SnapshotTraits.Inner, "mixed boot patch work install other")]
    [InlineData(SnapshotTraits.Offline, "install other")]
    [InlineData(SnapshotTraits.Online, "mixed boot work")]
    [InlineData(SnapshotTraits.DiskOnly, "patch")]
    [InlineData(SnapshotTraits.Offline | SnapshotTraits.DiskOnly, "patch install other")]
    [InlineData(SnapshotTraits.Internal, "work install")]
    [InlineData(SnapshotTraits.External, "mixed boot patch other")]
    [InlineData(SnapshotTraits.External | SnapshotTraits.Online | SnapshotTraits.Leaf, "mixed")]
    public void Traits_let_through_any_answer_to_each_question(SnapshotTraits traits, string expected) =>
        Assert.Equal(expected, Names(new SnapshotFilter { Traits = traits }.ApplyTo(s_tree)));

    [Fact]
    public void A_list_starts_anywhere_and_goes_one_level_or_all()
    {
        var install = s_catalog.Find("install").Id;

        Assert.Equal("install other", Names(new SnapshotFilter { Reach = SnapshotReach.Children }.ApplyTo(s_tree)));
        Assert.Equal("boot patch", Names(new SnapshotFilter { Reach = SnapshotReach.Children, Below = install }.ApplyTo(s_tree)));
        Assert.Equal("mixed boot patch work", Names(new SnapshotFilter { Below = install }.ApplyTo(s_tree)));
        Assert.Equal("mixed patch", Names(new SnapshotFilter { Below = install, Traits = SnapshotTraits.Leaf }.ApplyTo(s_tree)));
        Assert.Throws<CoppiceException>(() => new SnapshotFilter { Below = new SnapshotId(Guid.Empty) }.ApplyTo(s_tree));
    }

    [Fact]
    public void Topological_order_puts_parents_first_and_keeps_subtrees_together() => Assert.Equal(
        "install boot work mixed patch other", Names((SnapshotFilter.All with { Topological = true }).ApplyTo(s_tree)));

    [Fact]
    public void The_tree_can_be_walked_both_ways()
    {
        var boot = s_catalog.Find("boot");

        Assert.Equal("install", s_tree.Parent(boot)!.Name);
        Assert.Equal("work", Names(s_tree.Children(boot.Id)));
        Assert.Equal("install other", Names(s_tree.Roots));
        Assert.Equal("mixed patch other", Names(s_tree.Leaves));
        Assert.Null(s_tree.Parent(s_tree.Roots[0]));
        Assert.Null(s_tree.Current);
        Assert.Equal(boot, new SnapshotTree(s_catalog with { Current = boot.Id }).Current);
    }

    [Fact]
    public void A_deep_tree_does_not_exhaust_the_stack()
    {
        var chain = Enumerable.Range(0, 20_000)
            .Select(i => Take($"s{i}", i == 0 ? null : $"s{i - 1}", i, DomainState.Off, MemoryImage.None, DiskMode.External));

        Assert.Equal(20_000, new SnapshotTree(Catalog([.. chain])).Descendants(null).Length);
    }

    [Fact]
    public void A_missing_parent_or_a_circle_is_damage()
    {
        Assert.Equal(ErrorKind.Damaged, Assert.Throws<CoppiceException>(() => new SnapshotTree(Catalog(
            Take("a", "gone", 1, DomainState.Off, MemoryImage.None, DiskMode.External)))).Kind);
        Assert.Equal(ErrorKind.Damaged, Assert.Throws<CoppiceException>(() => new SnapshotTree(Catalog(
            Take("a", "b", 1, DomainState.Off, MemoryImage.None, DiskMode.External),
            Take("b", "a", 1, DomainState.Off, MemoryImage.None, DiskMode.External)))).Kind);
    }

    [Fact]
    public void A_snapshot_is_found_by_name_and_by_uuid()
    {
        var boot = s_catalog.Find("boot");

        Assert.Equal(boot, s_catalog.Find(boot.Id.ToString()));
        Assert.Equal(boot, s_catalog.Find(boot.Id.ToString().ToUpperInvariant()));
    }

    [Theory]
    [InlineData("bot", "did you mean 'boot'?")]
    [InlineData("PATCH", "did you mean 'patch'?")]
    [InlineData("mixd", "did you mean 'mixed'?")]
    [InlineData("nothing-like-it", "see: coppice snapshot list web")]
    [InlineData("", "see: coppice snapshot list web")]
    public void A_name_that_is_not_there_leads_to_near_ones(string wanted, string advice)
    {
        var error = Assert.Throws<CoppiceException>(() => s_catalog.Find(wanted));

        Assert.Equal((ErrorKind.NotFound, advice), (error.Kind, error.NextStep));
    }

    [Fact]
    public void A_domain_that_is_not_there_leads_to_near_ones_and_is_shown_safely()
    {
        Assert.Equal("did you mean 'database'?", Lookup.NoDomain("databse", ["web", "database"]).NextStep);
        Assert.Equal("domain 'a?b'", Lookup.NoDomain("a\u001bb", []).Subject);
    }

    private static string Names(IEnumerable<Snapshot> snapshots) => string.Join(' ', snapshots.Select(s => s.Name));

    private static SnapshotId Id(string name) => new(new Guid(name.Select(c => (byte)c).Concat(new byte[16]).Take(16).ToArray()));

    private static Snapshot Take(string name, string? parent, int at, DomainState state, MemoryImage memory, DiskMode disk) => new()
    {
        Id = Id(name),
        Name = name,
        CreatedAt = DateTimeOffset.FromUnixTimeSeconds(at),
        State = state,
        Parent = parent is null ? null : Id(parent),
        Definition = new ShortId("dddddddd"),
        Memory = memory,
        Disks = [new DiskSnapshot { Target = "vda", Mode = disk, Layer = new ShortId("aaaaaaaa") }],
    };

    private static Catalog Catalog(params Snapshot[] snapshots) => new()
    {
        Domain = new DomainId(Guid.Empty),
        Name = "web",
        Last = new LastOperation(new ShortId("00000000"), OperationEnd.Committed),
        Head = new Head { Definition = new ShortId("dddddddd"), Disks = [] },
        Snapshots = snapshots.ToImmutableDictionary(s => s.Id),
    };
}
