using Coppice.Core;

namespace Coppice.Torture;

/// <summary>An operation on a guest that runs; its name is what a victim is told (tests/Coppice.Victim) and what deeds are called.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Weight">How often it is drawn.</param>
/// <param name="Events">About how many points its journal has.</param>
internal sealed record LiveOperation(string Name, int Weight, int Events)
{
    /// <summary>The snapshots or tips that it may be about, by name or id; null if it makes a new one or is about none.</summary>
    public Func<Catalog, IEnumerable<string>>? About { get; init; }

    /// <summary>What must hold of the tree.</summary>
    public Func<Catalog, bool> When { get; init; } = _ => true;

    /// <summary>The guest stands still in it while its memory is written.</summary>
    public bool Stands { get; init; }

    /// <summary>The guest may be saved afterwards.</summary>
    public bool MaySave { get; init; }

    public static IReadOnlyList<LiveOperation> All { get; } =
    [
        new("create", 4, 16) { Stands = true },
        new("create live", 2, 16) { Stands = true },
        new("create disk-only", 1, 16),
        new("create inside", 1, 8) { Stands = true },
        new("revert", 4, 26) { Stands = true, About = WithMemory },
        new("revert, discarding", 1, 26) { About = WithMemory },
        new("undo", 2, 26) { Stands = true, When = c => c.Tips.LastOrDefault()?.Memory.Mode is MemoryMode.External or MemoryMode.Internal },
        new("delete", 3, 8) { About = c => Snapshots(c).Where(s => s != Base) },
        new("edit", 1, 5) { About = Snapshots },
        new("create a branch", 1, 6) { About = WithMemory },
        new("create a branch, current", 1, 26) { Stands = true, About = WithMemory },
        new("tips revert", 1, 26) { Stands = true, About = c => c.Tips.Where(t => t.Memory.Mode is not MemoryMode.None).Select(t => t.Id.Value) },
        new("tips drop", 1, 8) { About = c => c.Tips.Select(t => t.Id.Value) },
        new("warm", 1, 12) { About = WithMemory },
        new("fork and start", 2, 30) { About = WithMemory },
        new("save", 1, 10) { Stands = true, MaySave = true },
    ];

    /// <summary>A snapshot that is always there.</summary>
    public const string Base = "base";

    public static LiveOperation Pick(Random random, Catalog catalog)
    {
        var all = All.Where(o => o.When(catalog) && o.About?.Invoke(catalog).Any() != false).ToArray();
        var left = random.Next(all.Sum(o => o.Weight));
        return all.First(o => (left -= o.Weight) < 0);
    }

    /// <summary>The snapshot or tip that it is about, or the snapshot that it is to make.</summary>
    public string Draw(Random random, Catalog catalog) =>
        About?.Invoke(catalog).Order(StringComparer.Ordinal).ToArray() is { Length: > 0 } names
            ? names[random.Next(names.Length)]
            : $"n{random.Next(100_000)}";

    private static IEnumerable<string> Snapshots(Catalog catalog) => catalog.Snapshots.Values.Select(s => s.Name);

    private static IEnumerable<string> WithMemory(Catalog catalog) =>
        catalog.Snapshots.Values.Where(s => s.Memory.Mode is not MemoryMode.None).Select(s => s.Name);
}
