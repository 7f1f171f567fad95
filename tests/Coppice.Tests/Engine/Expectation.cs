using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Engine;

/// <summary>How a domain is before or after an operation.</summary>
internal sealed record Outcome(Catalog? Catalog, DomainState State, string Forks)
{
    /// <summary>
    /// How the other domains may be once the power was lost, which is lost to all: a transient one stays if its guest has written what would
    /// go with it.
    /// </summary>
    public string[] ForksAfterPowerLoss { get; private init; } = [];

    public string Tree { get; } = Catalog is null ? "none" : Inspection.Tree(Catalog);

    public static Outcome Of(World world) => Of(world, world.All);

    /// <summary>The same of what was read.</summary>
    public static Outcome Of(World world, IReadOnlyList<(DomainFolder Folder, Catalog Catalog)> domains)
    {
        var catalog = domains.FirstOrDefault(d => d.Folder == world.Domain).Catalog;
        Catalog[] forks = [.. domains.Where(d => d.Folder != world.Domain).Select(d => d.Catalog).OrderBy(c => c.Name, StringComparer.Ordinal)];
        return new Outcome(catalog, Inspection.StateOf(world, catalog), string.Join("\n\n", forks.Select(Inspection.Tree)))
        {
            ForksAfterPowerLoss =
            [
                string.Join("\n\n", forks.Select(Inspection.AfterPowerLoss).Where(t => t != "none")),
                string.Join("\n\n", forks.Select(Inspection.Staying)),
            ],
        };
    }
}

/// <summary>What may come out of an operation that was interrupted.</summary>
internal sealed record Expectation(Scenario Scenario, Outcome Old, Outcome New)
{
    private readonly string[] _trees = Trees(Old.Catalog, New.Catalog, Inspection.Tree);
    private readonly string[] _treesAfterPowerLoss =
        [.. Trees(Old.Catalog, New.Catalog, Inspection.AfterPowerLoss), .. Trees(Old.Catalog, New.Catalog, Inspection.Staying)];
    private readonly bool _keepsItsShape = Shape(Old.Tree) == Shape(New.Tree);

    /// <summary>The other domains after each but the last of the operations that this one is made of: each of them stands.</summary>
    public ImmutableArray<Outcome> Between { get; init; } = [];

    private IEnumerable<Outcome> Resting => [Old, .. Between, New];

    public void Check(World world, long acknowledged, bool power)
    {
        string[] forks = [.. Resting.SelectMany(o => power ? o.ForksAfterPowerLoss : [o.Forks])];
        var found = CheckTree(world, power ? _treesAfterPowerLoss : _trees, forks, tree => tree);
        CheckState(found, power, found.Tree == New.Tree);
        if (found.Catalog is not null && !Scenario.Discards)
        {
            var kept = Inspection.Kept(world, found.Catalog);
            Assert.True(kept >= acknowledged, $"{kept} is kept, {acknowledged} was acknowledged");
        }

        GoOn(world);
    }

    /// <summary>The same without a crash, for an operation that was planned anew, with ids of its own.</summary>
    public void CheckShape(World world)
    {
        var found = CheckTree(world, _trees, [.. Resting.Select(o => o.Forks)], Shape);
        CheckState(found, power: false, Shape(found.Tree) == Shape(New.Tree));
        GoOn(world);
    }

    private static void GoOn(World world)
    {
        world.Host.Tick();
        world.Host.Tick();
        Assert.Equal(0, world.Host.State.Bad);
    }

    private static Outcome CheckTree(World world, string[] trees, string[] forks, Func<string, string> shown)
    {
        var domains = world.All;
        Inspection.CheckAll(world, domains);
        var found = Outcome.Of(world, domains);
        Assert.True(forks.Select(shown).Contains(shown(found.Forks)), $"the other domains are\n{found.Forks}\ninstead of\n{string.Join("\nor\n", forks)}");
        Assert.Contains(shown(found.Tree), trees.Select(shown));
        return found;
    }

    /// <summary>Before, after, and before with the head where the guest has moved to.</summary>
    private static string[] Trees(Catalog? old, Catalog? next, Func<Catalog, string> tree)
    {
        var forward = old is not null && next is not null ? Inspection.RolledForward(old, next) : null;
        return [.. new[] { old, next, forward }.Select(c => c is null ? "none" : tree(c))];
    }

    private void CheckState(Outcome found, bool power, bool isNew)
    {
        if (power)
        {
            Assert.Equal(DomainState.Off, found.State);
        }
        else if (_keepsItsShape)
        {
            Assert.Contains(found.State, new[] { Old.State, New.State });
        }
        else
        {
            var asked = isNew ? New.State : Old.State;
            Assert.True(found.State == asked || Scenario.Request is StopDomain, $"{found.State} instead of {asked}");
        }
    }

    private static string Shape(string tree) => System.Text.RegularExpressions.Regex.Replace(tree, "[0-9a-f]{8,16}", "#");
}
