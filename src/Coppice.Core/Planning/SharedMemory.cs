namespace Coppice.Core;

/// <summary>
/// Plans that the memory of a snapshot gets a file of its own (R175): a second name of the one that it is in, or a copy.
/// </summary>
internal static class SharedMemory
{
    /// <param name="context">What is planned.</param>
    /// <param name="snapshot">The snapshot; it has memory.</param>
    /// <param name="file">The new file; it does not exist yet.</param>
    /// <param name="takesLink">Whether the memory can have a second name there.</param>
    /// <exception cref="CoppiceException">A copy takes room that guests were promised (<see cref="ErrorKind.Storage"/>).</exception>
    public static (MemoryImage Memory, Step Made) In(PlanContext context, Snapshot snapshot, string file, bool takesLink)
    {
        var memory = snapshot.Memory;
        if (memory.File is { } there && takesLink)
        {
            return (memory with { File = file, Origin = LayerOrigin.Coppice }, context.Storage.Link(there, file));
        }

        var holder = memory.Layer is { } inside ? context.Graph[inside] : null;
        var size = memory.File is { } large && context.Observed.Files.TryGetValue(large, out var found)
            ? found.Allocated
            : context.Observed.Definitions[snapshot.Definition].Memory;
        var copy = new MemoryImage
        {
            Mode = MemoryMode.External, File = file, Format = memory.Format, WrittenBy = memory.WrittenBy,
            IsVolatile = context.Observed.Volume is { IsVolatile: true } volume && volume.Holds(file),
        };
        MemoryRoom.RequireCopy(context, file, size);
        return (copy, context.Storage.CopyMemory(memory, holder, file, size));
    }
}
