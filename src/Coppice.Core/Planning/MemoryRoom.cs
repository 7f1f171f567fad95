namespace Coppice.Core;

/// <summary>Refuses a memory image that would not fit, before anything is touched.</summary>
internal static class MemoryRoom
{
    /// <summary>Requires room for the memory of the domain in its memory folder.</summary>
    /// <param name="context">What was observed.</param>
    /// <param name="file">The file it goes to; one outside the domain's own folder is not judged.</param>
    /// <exception cref="CoppiceException">It does not fit (<see cref="ErrorKind.Storage"/>).</exception>
    public static void Require(PlanContext context, string file)
    {
        var needed = context.Observed.Hypervisor.MemoryEstimate;
        var folder = context.Observed.Folder.MemoryFolder;
        if (!file.StartsWith(folder + "/", StringComparison.Ordinal) || context.Observed.Layers.IsEmpty)
        {
            return;
        }

        var free = context.Observed.Layers.Values.Min(l => l.FreeForMemory.Bytes);
        Require(folder, needed, new ByteCount(free), "free some space, or name a file elsewhere with --memory external:FILE");
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
