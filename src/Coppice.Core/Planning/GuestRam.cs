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

    /// <summary>The image itself, as it lies there for everybody.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="memory">The image that a guest goes on from; null if it boots.</param>
    /// <exception cref="CoppiceException">There is no image that can be mapped (<see cref="ErrorKind.WrongState"/>), or the driver cannot
    /// (<see cref="ErrorKind.MissingCapability"/>).</exception>
    public static GuestRam Shared(PlanContext context, MemoryImage? memory)
    {
        if (memory is not { Format: MemoryFormat.Mapped, File: { } file })
        {
            throw new CoppiceException(
                ErrorKind.WrongState, context.Subject, memory is null ? "has no memory to share: it boots" : "goes on from memory that is a stream, and cannot be mapped",
                "leave --share-memory out, or fork a snapshot that was taken with a memory volume (or was mapped: coppice snapshot map)");
        }

        context.Observed.Capabilities.Require(
            Capability.SharedMemoryImage, context.Subject, "leave --share-memory out, or use a newer hypervisor (QEMU 9.0 or later)");
        return new GuestRam(
            new RamPlace(file, IsClonable: false) { IsImage = true },
            $"checkpoints of '{context.Catalog.Name}' are streams, for which it waits, until it is reverted or started anew: its RAM is shared");
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
