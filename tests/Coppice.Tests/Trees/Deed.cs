using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>An operation that random lives are made of, and what it does to what can be returned to.</summary>
/// <param name="Name">What it is called in reports.</param>
/// <param name="Ask">The request.</param>
internal sealed record Deed(string Name, Func<Draw, Request> Ask)
{
    /// <summary>How often it is drawn.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Where it may be drawn: elsewhere it would only be refused. Null for everywhere.</summary>
    public Func<Scene, bool>? When { get; init; }

    /// <summary>Where a guest of the fake machine bears it; null for everywhere.</summary>
    public Func<Scene, bool>? Bears { get; init; }

    /// <summary>It is about a process, so that it needs a machine.</summary>
    public bool NeedsMachine { get; init; }

    /// <summary>It waits for merges, which on the fake machine go on only while somebody lets time pass.</summary>
    public bool Waits { get; init; }

    /// <summary>A revert to what it makes parts disks that a guest has written together, which a guest of the fake machine notices.</summary>
    public bool PartsDisks { get; init; }

    /// <summary>It begins with a document of a snapshot, which has to be read or kept.</summary>
    public Func<Draw, Task<Request?>>? Reads { get; init; }

    /// <summary>The name of the domain that it changes.</summary>
    public Func<Request, string> Changes { get; init; } = r => ((DomainRequest)r).Domain;

    /// <summary>What the head held may go with it.</summary>
    public bool Discards { get; init; }

    /// <summary>What the head holds afterwards; null for what it held.</summary>
    public Func<Scene, Request, Contents>? Head { get; init; }

    /// <summary>The head may have other disks afterwards.</summary>
    public bool ChangesDisks { get; init; }

    /// <summary>What a disk holds that comes with it, unless a guest formats it; null if nobody knows.</summary>
    public Func<Scene, Request, string>? Gains { get; init; }

    /// <summary>What the snapshot holds that the request names; null for what the head held.</summary>
    public Func<Scene, Request, Contents>? Holds { get; init; }

    /// <summary>What snapshots hold that it finds, nobody knew.</summary>
    public bool Finds { get; init; }

    /// <summary>The snapshots that go with it.</summary>
    public Func<Catalog, Request, IEnumerable<SnapshotId>>? Drops { get; init; }

    /// <summary>What builds on snapshots that go may go with them: snapshots and tips.</summary>
    public bool DropsWhatBuildsOn { get; init; }

    /// <summary>The tips that go with it, whatever they hold.</summary>
    public Func<Catalog, Request, IEnumerable<ShortId>>? DropsTips { get; init; }

    /// <summary>Files that snapshots kept stay, and nothing names them any more.</summary>
    public bool Forgets { get; init; }

    /// <summary>What a domain begins with that it makes; null if it makes none. Nobody knows what is on the disks of a user.</summary>
    public Func<Scene, Request, Contents?>? Makes { get; init; }

    /// <summary>The domain goes.</summary>
    public bool Ends { get; init; }

    /// <summary>Every operation. A new one is one line in one of these lists: the tests that draw from them need not know more.</summary>
    public static IReadOnlyList<Deed> All { get; } = [.. SnapshotDeeds.All, .. RevertDeeds.All, .. DeleteDeeds.All, .. DomainDeeds.All, .. ProcessDeeds.All, .. MirrorDeeds.All];

    /// <summary>One of those that can be made with a machine, or without one; one in eight also where it makes no sense.</summary>
    public static Deed Pick(Random random, Scene scene)
    {
        var anywhere = random.Next(8) == 0;
        var deeds = All.Where(d => scene.Orchard.HasMachine ? d is { PartsDisks: false, Waits: false } : !d.NeedsMachine)
            .Where(d => d.Reads is null || scene.Orchard.Documents is not null)
            .Where(d => d.Bears?.Invoke(scene) != false)
            .Where(d => (anywhere && d is { Reads: null, Makes: null }) || d.When?.Invoke(scene) != false).ToArray();
        var left = random.Next(deeds.Sum(d => d.Weight));
        return deeds.First(d => (left -= d.Weight) < 0);
    }

    /// <summary>The request.</summary>
    public async Task<Request> AskAsync(Draw draw) => (Reads is null ? null : await Reads(draw)) ?? Ask(draw);
}
