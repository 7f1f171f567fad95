using System.Text.Json.Serialization;

namespace Coppice.Bench.Results;

/// <summary>What one thing took in each round, under one condition.</summary>
/// <param name="Subject">Who did it: <c>coppice, XFS</c>, <c>virsh --live</c>.</param>
/// <param name="Size">How large the guest, or whatever it was done to, is.</param>
/// <param name="Condition">What else was the case: <c>idle</c>.</param>
/// <param name="Measure">What was measured: <c>gap</c>.</param>
/// <param name="Unit">The unit of the values.</param>
/// <param name="Values">One value a round, in order.</param>
internal sealed record Series(string Subject, string Size, string Condition, string Measure, string Unit, IReadOnlyList<double> Values)
{
    /// <summary>The value in the middle; of an even number of rounds the mean of the two there.</summary>
    [JsonIgnore]
    public double Median
    {
        get
        {
            var sorted = Values.Order().ToArray();
            return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    /// <summary>The least value.</summary>
    [JsonIgnore]
    public double Min => Values.Count == 0 ? double.NaN : Values.Min();

    /// <summary>The greatest value.</summary>
    [JsonIgnore]
    public double Max => Values.Count == 0 ? double.NaN : Values.Max();
}
