namespace Coppice.Core;

/// <summary>Where a process that is about to be started has its RAM.</summary>
/// <param name="Place">The file; null for memory that is nowhere else.</param>
/// <param name="Warning">What is slower than it could be, in a home that has a memory volume; null if nothing is.</param>
internal sealed record GuestRam(RamPlace? Place, string? Warning)
{
    /// <summary>On the memory volume if it can be. Memory that is to be mapped needs a file wherever there is room.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="process">The process.</param>
    /// <param name="definition">Its definition.</param>
    /// <param name="memory">What it loads.</param>
    /// <param name="left">What the process that it replaces leaves: a clone of its RAM keeps what that took.</param>
    public static GuestRam Of(PlanContext context, ShortId process, DomainDefinition definition, MemoryImage memory, MemoryImage? left = null)
    {
        // Of the domain one process runs at a time: what another one was promised is this one's, if nothing keeps it.
        var (folder, volume) = (context.Observed.Folder, context.Observed.Volume);
        var promised = context.Head.Process is { } other && left is not { Format: MemoryFormat.Mapped } ? volume?.Without(folder.Ram(other)) : volume;
        return On(promised, folder, process, definition, memory);
    }

    /// <summary>The same on a volume as it is, beside all that has RAM there.</summary>
    public static GuestRam On(MemoryVolume? volume, DomainFolder folder, ShortId process, DomainDefinition definition, MemoryImage memory)
    {
        var way = MemoryWay.Of(definition, volume);
        if (way.Format is MemoryFormat.Mapped)
        {
            return new GuestRam(new RamPlace(folder.Ram(process), IsClonable: true), null);
        }

        var warning = volume is null ? null : $"checkpoints will wait for RAM: {way.Reason}; {way.NextStep}, then start it anew";
        return memory.Format is MemoryFormat.Mapped
            ? new GuestRam(new RamPlace(folder.PrivateRam(process), IsClonable: false), warning)
            : new GuestRam(null, warning);
    }
}
