using System.Globalization;
using Coppice.Contracts;

namespace Coppice.Torture;

/// <summary>How long, and from where.</summary>
/// <param name="Time">How long rounds are begun.</param>
/// <param name="Seed">Decides the seeds of the rounds, or is that of the one round.</param>
/// <param name="Room">The room of the one round that is repeated; null for all.</param>
/// <param name="Load">How long the one round of the room <c>load</c> is; null if that is one room among others.</param>
internal sealed record Settings(TimeSpan Time, int Seed, string? Room, TimeSpan? Load)
{
    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(50), s_long = TimeSpan.FromMinutes(5);

    public static Settings Parse(string[] args)
    {
        var settings = new Settings(Sampling.Everything ? s_long : s_short, Random.Shared.Next(), null, null);
        for (var i = 0; i < args.Length; i++)
        {
            settings = args[i] switch
            {
                "--time" => settings with { Time = ParseTime(args[++i]) },
                "--seed" => Seeded(settings, args[++i].Split(':')),
                "--load" => settings with { Load = ParseTime(args[++i]), Room = "load" },
                "-noColor" => settings,
                _ => throw new ArgumentException($"unknown argument {args[i]}"),
            };
        }

        return settings;
    }

    private static Settings Seeded(Settings settings, string[] parts) => settings with
    {
        Seed = int.Parse(parts[^1], CultureInfo.InvariantCulture),
        Room = parts.Length > 1 ? parts[0] : settings.Room,
    };

    /// <summary><c>90</c> or <c>90s</c> for seconds, <c>10m</c>, <c>2h</c>.</summary>
    private static TimeSpan ParseTime(string text)
    {
        var number = double.Parse(text.TrimEnd('s', 'm', 'h'), CultureInfo.InvariantCulture);
        return text[^1] switch
        {
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            _ => TimeSpan.FromSeconds(number),
        };
    }
}
