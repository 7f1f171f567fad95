using Coppice.Bench.Guests;

namespace Coppice.Bench.Parts;

/// <summary>What a checkpoint said of itself.</summary>
/// <param name="Total">From the request until it was done.</param>
/// <param name="Pause">How long the guest stood still, if it says.</param>
/// <param name="Written">The bytes that it wrote, if it says.</param>
/// <param name="Parts">How long its parts took, if it says.</param>
internal sealed record Taken(
    TimeSpan Total, TimeSpan? Pause = null, long? Written = null, IReadOnlyList<(string Part, TimeSpan Elapsed)>? Parts = null);

/// <summary>One way to checkpoint a guest.</summary>
/// <param name="Subject">How the tables name it.</param>
/// <param name="Guest">The guest, which others may share.</param>
/// <param name="Rounds">How often it is done.</param>
/// <param name="CheckpointAsync">Does it; told the name of the snapshot.</param>
/// <param name="ForgetAsync">Makes room afterwards, outside the measurement; null if nothing has to go.</param>
internal sealed record Contestant(
    string Subject, Guest Guest, int Rounds, Func<string, Task<Taken>> CheckpointAsync, Func<string, Task>? ForgetAsync = null);
