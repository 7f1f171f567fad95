using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Snapshots;

/// <summary>Which snapshots stay, and in which order the others can go.</summary>
public sealed class RetentionTests
{
    private static readonly DateTimeOffset s_monday = new(2026, 3, 2, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(2, 0, 0, "d4-late d3")]
    [InlineData(0, 3, 0, "d4-late d3 d1")]
    [InlineData(0, 0, 2, "d4-late w2")]
    [InlineData(0, 0, 9, "d4-late w2 w1")]
    [InlineData(1, 2, 2, "d4-late d3 w2")]
    [InlineData(99, 0, 0, "d4-late d3 d1 d0-late d0 w2 w1")]
    public void The_newest_of_so_many_stay_and_only_days_and_weeks_count_that_have_any(int last, int daily, int weekly, string stays)
    {
        var decided = new Retention(last, daily, weekly) { CurrentToo = true }.Decide(Tree());
        Assert.Equal(
            stays, string.Join(' ', decided.Where(r => r.Stays).OrderByDescending(r => r.Snapshot.CreatedAt).Select(r => r.Snapshot.Name)));
    }

    [Fact]
    public void The_current_snapshot_stays_unless_it_is_said_that_it_may_go_and_each_reason_is_told()
    {
        var catalog = Tree();
        var one = new Retention(1, 1, 1);
        Assert.Equal(["current"], Reasons(one.Decide(catalog), "d0"));
        Assert.Equal(["last", "daily", "weekly"], Reasons(one.Decide(catalog), "d4-late"));
        Assert.Empty(Reasons((one with { CurrentToo = true }).Decide(catalog), "d0"));
    }

    [Fact]
    public void Children_come_before_their_parents()
    {
        var decided = new Retention(1, 0, 0).Decide(Tree()).Select(r => r.Snapshot).ToList();
        Assert.All(decided.Where(s => s.Parent is not null), s =>
            Assert.True(decided.IndexOf(s) < decided.FindIndex(p => p.Id == s.Parent), s.Name));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(-1, 3, 0)]
    public void A_rule_that_keeps_nothing_is_refused(int last, int daily, int weekly) => Assert.Equal(
        ErrorKind.InvalidInput, Assert.Throws<CoppiceException>(() => new Retention(last, daily, weekly).Decide(Tree())).Kind);

    private static ImmutableArray<string> Reasons(IEnumerable<Retained> decided, string name) => decided.Single(r => r.Snapshot.Name == name).Reasons;

    /// <summary>Two on a Monday, one each on two other days, two on another, and one in each of two weeks before; a tree.</summary>
    private static Catalog Tree()
    {
        (string Name, double Days, string? Parent)[] all =
        [
            ("w1", -15, null), ("w2", -8, "w1"), ("d0", 0, "w2"), ("d0-late", 0.4, "d0"), ("d1", 1, "w2"), ("d3", 3, "d1"), ("d4-late", 4.4, "d1"),
        ];
        var ids = all.Select((s, i) => (s.Name, Id: new SnapshotId(new Guid(i + 1, 0, 0, new byte[8])))).ToDictionary(s => s.Name, s => s.Id);
        var definition = new ShortId("00000001");
        return new Catalog
        {
            Domain = new DomainId(Guid.Empty),
            Name = "web",
            Last = new LastOperation(definition, OperationEnd.Committed),
            Head = new Head { Definition = definition, Disks = [] },
            Current = ids["d0"],
            Snapshots = all.Select(s => new Snapshot
            {
                Id = ids[s.Name], Name = s.Name, CreatedAt = s_monday.AddDays(s.Days), State = DomainState.Off,
                Parent = s.Parent is null ? null : ids[s.Parent], Definition = definition, Memory = MemoryImage.None, Disks = [],
            }).ToImmutableDictionary(s => s.Id),
        };
    }
}
