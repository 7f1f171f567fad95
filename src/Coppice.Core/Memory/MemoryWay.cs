namespace Coppice.Core;

/// <summary>How the memory of a domain is kept when it is started anew: mapped, so that nothing waits for RAM, or as a stream.</summary>
/// <param name="Format">The layout that its memory images will have.</param>
/// <param name="Reason">Why it is no faster one; empty if there is none.</param>
/// <param name="NextStep">What would make it faster; may be empty.</param>
public sealed record MemoryWay(MemoryFormat Format, string Reason = "", string NextStep = "")
{
    private const long PageBytes = 4096;

    /// <summary>The way of a domain that is about to be started.</summary>
    /// <param name="definition">Its definition.</param>
    /// <param name="volume">The memory volume of its home; null if there is none.</param>
    public static MemoryWay Of(DomainDefinition definition, MemoryVolume? volume)
    {
        ArgumentNullException.ThrowIfNull(definition);
        var ram = definition.Memory;
        return volume switch
        {
            null => new(MemoryFormat.Stream, "the home has no memory volume", "make one: coppice pool create-memory --size SIZE"),
            _ when ram.Bytes % PageBytes != 0 => new(
                MemoryFormat.Stream, $"its RAM is no whole number of pages of {PageBytes} bytes", "give it a whole number of MiB"),
            _ when volume.MissingFor(ram) is { Bytes: > 0 } missing => new(
                MemoryFormat.Stream, $"its RAM of {ram} does not fit on the memory volume beside what other guests may write: {missing} are missing",
                "make room there (prune, gc, stop other domains), or make a larger one"),
            _ => new(MemoryFormat.Mapped),
        };
    }
}
