using Coppice.Bench.Guests;

namespace Coppice.Bench;

/// <summary>What is to be measured, and with what.</summary>
internal sealed record Settings
{
    /// <summary>The parts, by name; none means all.</summary>
    public IReadOnlyList<string> Parts { get; init; } = [];

    /// <summary>The RAM of the guests in MiB, where there are several sizes; none means all.</summary>
    public IReadOnlyList<int> Sizes { get; init; } = [];

    /// <summary>Small guests and few rounds: it shows that everything works, not how fast it is.</summary>
    public bool IsQuick { get; init; }

    /// <summary>The published command.</summary>
    public required string Command { get; init; }

    /// <summary>An empty folder, on the disk that is measured; nobody else uses it. Short, because sockets are below it.</summary>
    public required string Work { get; init; }

    /// <summary>Where the raw results go, and those of parts that are not measured now come from.</summary>
    public required string Results { get; init; }

    /// <summary>Where the page goes.</summary>
    public required string Docs { get; init; }

    /// <summary>How often something is done.</summary>
    public int Rounds(int full, int quick = 2) => IsQuick ? quick : full;

    /// <summary>The sizes of guests to measure, where there are several.</summary>
    public IEnumerable<GuestSize> Guests => new[] { GuestSize.Small, GuestSize.Middle, GuestSize.Large }
        .Where(s => Sizes.Count == 0 ? !IsQuick || s == GuestSize.Small : Sizes.Contains(s.RamMiB));

    /// <exception cref="ArgumentException">An argument is unknown, or has no value.</exception>
    public static Settings Parse(string[] arguments)
    {
        var values = new Dictionary<string, string>();
        var parts = new List<string>();
        var sizes = new List<int>();
        var isQuick = false;
        for (var i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--quick":
                    isQuick = true;
                    break;
                case "--part" when i + 1 < arguments.Length:
                    parts.AddRange(arguments[++i].Split(',', StringSplitOptions.RemoveEmptyEntries));
                    break;
                case "--size" when i + 1 < arguments.Length:
                    sizes.AddRange(arguments[++i].Split(',').Select(
                        s => int.TryParse(s, out var size) ? size : throw new ArgumentException($"'{s}' is no size in MiB")));
                    break;
                case "--command" or "--work" or "--results" or "--docs" when i + 1 < arguments.Length:
                    values[arguments[i]] = Path.GetFullPath(arguments[++i]);
                    break;
                default:
                    throw new ArgumentException($"'{arguments[i]}' is unknown, or lacks a value");
            }
        }

        return new Settings
        {
            Parts = parts,
            Sizes = sizes,
            IsQuick = isQuick,
            Command = Given("--command"),
            Work = Given("--work"),
            Results = Given("--results"),
            Docs = Given("--docs"),
        };

        string Given(string name) => values.TryGetValue(name, out var value) ? value : throw new ArgumentException($"{name} is missing");
    }
}
