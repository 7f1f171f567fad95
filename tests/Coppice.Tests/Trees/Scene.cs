using System.Collections.Immutable;
using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>What there is when an operation begins.</summary>
/// <param name="Orchard">Where.</param>
/// <param name="Home">All domains.</param>
/// <param name="Sight">The one that the operation is about.</param>
internal sealed record Scene(Orchard Orchard, ImmutableArray<Sight> Home, Sight Sight)
{
    public Catalog Catalog => Sight.Catalog;

    public bool HasSnapshots => Catalog.Snapshots.Count > 0;

    public bool HasTips => !Catalog.Tips.IsEmpty;

    public bool HasJobs => !Catalog.Jobs.IsEmpty;

    public bool HasMirrors => !Catalog.Mirrors.IsEmpty;

    public bool IsAlive => Sight.View.Hypervisor.IsAlive;

    /// <summary>Whether a disk can come without the others: a guest of the fake machine formats one that it is shown.</summary>
    public bool CanGainDisk => IsAlive || !Orchard.HasMachine;

    /// <summary>A domain, by its name.</summary>
    public Sight this[string name] => Home.Single(d => d.Catalog.Name == name);

    /// <summary>The definitions that may be defined now: those that are not, on images that are as they must be.</summary>
    public DomainDefinition[] Definable =>
        [.. Orchard.Definitions.Where(d => Home.All(h => h.Catalog.Domain != d.Id) && Orchard.CanDefine(d))];
}

/// <summary>What a random operation may draw from.</summary>
internal sealed record Draw(Random Random, Scene Scene)
{
    public string Domain => Scene.Catalog.Name;

    /// <summary>Another domain; one that is not there if there is none.</summary>
    public string Other => One(Scene.Home.Select(d => d.Catalog.Name).Where(n => n != Domain));

    /// <summary>A snapshot, by name; one that is not there if there is none.</summary>
    public string Snapshot => One(Scene.Catalog.Snapshots.Values.Select(s => s.Name));

    /// <summary>A tip, likewise.</summary>
    public string Tip => One(Scene.Catalog.Tips.Select(t => t.Id.Value));

    /// <summary>A merge, likewise.</summary>
    public string Job => One(Scene.Catalog.Jobs.Select(j => j.Id.Value));

    /// <summary>A disk that is being copied, by the job, likewise.</summary>
    public string Mirror => One(Scene.Catalog.Mirrors.Select(m => m.Id.Value));

    /// <summary>A disk of the head.</summary>
    public string Disk => One(Scene.Catalog.Head.Disks.Select(d => d.Target));

    public string NewName => $"n{Random.Next(100_000)}";

    public bool Chance(int oneIn) => Random.Next(oneIn) == 0;

    public T One<T>(params T[] of) => of[Random.Next(of.Length)];

    private string One(IEnumerable<string> names) => names.Order(StringComparer.Ordinal).ToArray() is { Length: > 0 } all ? One(all) : "none";
}
