using System.Text.Json;

namespace Coppice.Bench.Results;

/// <summary>What a part of the benchmarks measured, and on what.</summary>
/// <param name="Part">The part.</param>
/// <param name="TakenAt">When it was done, UTC.</param>
/// <param name="IsQuick">With few rounds and small guests only.</param>
/// <param name="Machine">What it ran on, name by name.</param>
/// <param name="Notes">What was different from what one would expect here.</param>
/// <param name="Series">The figures.</param>
internal sealed record PartResult(
    string Part, DateTimeOffset TakenAt, bool IsQuick, IReadOnlyDictionary<string, string> Machine, IReadOnlyList<string> Notes,
    IReadOnlyList<Series> Series)
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>A series; null if it was not measured.</summary>
    public Series? Find(string subject, string size, string condition, string measure) =>
        Series.FirstOrDefault(s => s.Subject == subject && s.Size == size && s.Condition == condition && s.Measure == measure);

    /// <summary>The sizes that were measured, in order.</summary>
    public IEnumerable<string> Sizes => Series.Select(s => s.Size).Distinct();

    /// <summary>Those of whom something was measured, in order.</summary>
    public IEnumerable<string> Subjects => Series.Select(s => s.Subject).Distinct();

    /// <summary>The conditions, in order.</summary>
    public IEnumerable<string> Conditions => Series.Select(s => s.Condition).Distinct();

    /// <summary>With what an earlier run of the same kind measured of sizes that this one left out.</summary>
    public PartResult WithSizesOf(PartResult? earlier) => earlier is null || earlier.IsQuick != IsQuick
        ? this
        : this with { Series = [.. earlier.Series.Where(s => !Sizes.Contains(s.Size)), .. Series] };

    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(PathIn(folder, Part), JsonSerializer.Serialize(this, s_json) + "\n");
    }

    /// <summary>What an earlier run measured; null if none did.</summary>
    public static PartResult? Read(string folder, string part) => File.Exists(PathIn(folder, part))
        ? JsonSerializer.Deserialize<PartResult>(File.ReadAllText(PathIn(folder, part)), s_json)
        : null;

    private static string PathIn(string folder, string part) => Path.Combine(folder, part + ".json");
}
