namespace Coppice.Core;

/// <summary>Refuses a copy that would not fit, before anything is touched.</summary>
internal static class CopyRoom
{
    /// <summary>Requires room for the content of an internal snapshot beside the domain's other layers.</summary>
    /// <returns>About how many bytes are copied: at most what the image takes that holds it.</returns>
    /// <exception cref="CoppiceException">It does not fit (<see cref="ErrorKind.Storage"/>).</exception>
    public static ByteCount Require(PlanContext context, Layer copy, Layer snapshot)
    {
        var needed = context.Observed.Files.TryGetValue(snapshot.Path, out var image) ? image.Allocated : snapshot.VirtualSize;
        var folder = Path.GetDirectoryName(copy.Path)!;
        var seen = context.Observed.Layers.Values.FirstOrDefault(l => l.OverlayFolder == folder);
        return seen is null || seen.Free.Bytes >= needed.Bytes
            ? needed
            : throw new CoppiceException(
                ErrorKind.Storage,
                folder,
                $"the content of {snapshot.Inside!.Tag} in {snapshot.Path} takes up to {needed}, and {seen.Free} are free",
                "free some space");
    }
}
