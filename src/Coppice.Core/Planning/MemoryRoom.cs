namespace Coppice.Core;

/// <summary>Refuses a memory image that would not fit, before anything is touched.</summary>
internal static class MemoryRoom
{
    /// <summary>Requires room for the memory of the domain, where Coppice itself has put it.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="memory">The image that is to be made; one in a file outside the domain's own folders is not judged.</param>
    /// <param name="otherwise">What else can be done, where no other file can be named; null where one can.</param>
    /// <exception cref="CoppiceException">It does not fit (<see cref="ErrorKind.Storage"/>).</exception>
    public static void Require(PlanContext context, MemoryImage memory, string? otherwise = null)
    {
        var (folder, file) = (context.Observed.Folder, memory.File!);
        if (Path.GetDirectoryName(file) == folder.VolumeFolder && context.Observed.Volume is { } volume)
        {
            RequireOn(context, volume, otherwise ?? "keep this memory as a stream, for which the guest waits: --memory external:FILE");
        }
        else if (Path.GetDirectoryName(file) == folder.MemoryFolder && !context.Observed.Layers.IsEmpty)
        {
            var free = context.Observed.Layers.Values.Min(l => l.FreeForMemory.Bytes);
            Require(
                folder.MemoryFolder, context.Observed.Hypervisor.MemoryEstimate, new ByteCount(free),
                $"free some space, or {otherwise ?? "name a file elsewhere with --memory external:FILE"}");
        }
    }

    /// <summary>A clone takes no room, but from then on all that its guest writes does, and all that others write.</summary>
    private static void RequireOn(PlanContext context, MemoryVolume volume, string otherwise)
    {
        if (volume.MissingFor(MemoryVolume.DeviceState, context.Observed.Hypervisor.Ram) is { Bytes: > 0 } missing)
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"memory volume {volume.Folder}",
                $"{missing} would be missing if the guests on it wrote to all of their RAM, and a guest without room is killed",
                $"delete snapshots or stop other domains, or {otherwise}");
        }
    }

    /// <summary>Requires room for a copy of a memory image, if it is to lie on the memory volume: there it shares nothing.</summary>
    /// <exception cref="CoppiceException">It does not fit (<see cref="ErrorKind.Storage"/>).</exception>
    public static void RequireCopy(PlanContext context, string file, ByteCount size)
    {
        if (context.Observed.Volume is { } volume && volume.Holds(file) && volume.MissingFor(size) is { Bytes: > 0 } missing)
        {
            throw new CoppiceException(
                ErrorKind.Storage, $"memory volume {volume.Folder}",
                $"a copy of the memory image takes {size} there: {missing} would be missing if the guests on it wrote to all of their RAM",
                "delete snapshots or stop other domains");
        }
    }

    /// <summary>Requires room for the memory of the domain in the image of a disk.</summary>
    /// <exception cref="CoppiceException">It does not fit (<see cref="ErrorKind.Storage"/>).</exception>
    public static void RequireInside(PlanContext context, HeadDisk disk)
    {
        if (context.Observed.Layers.TryGetValue(disk.Layer, out var layer))
        {
            Require(
                context.Graph[disk.Layer].Path, context.Observed.Hypervisor.MemoryEstimate, layer.FreeBeside,
                "free some space, or ask for memory in a file elsewhere with --memory external:FILE");
        }
    }

    private static void Require(string place, ByteCount needed, ByteCount free, string nextStep)
    {
        if (free.Bytes < needed.Bytes)
        {
            throw new CoppiceException(
                ErrorKind.Storage, place, $"the memory image needs about {needed}, and {free} are free", nextStep);
        }
    }
}
