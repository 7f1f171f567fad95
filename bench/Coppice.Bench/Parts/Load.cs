namespace Coppice.Bench.Parts;

/// <summary>What the guest dirties of its RAM.</summary>
/// <param name="Name">How the tables name it.</param>
/// <param name="BytesPerSecond">How much; 0 for nothing.</param>
internal sealed record Load(string Name, long BytesPerSecond)
{
    public static Load Idle { get; } = new("idle", 0);

    public static Load Dirtying { get; } = new("dirtying 100 MB/s", 100_000_000);
}
