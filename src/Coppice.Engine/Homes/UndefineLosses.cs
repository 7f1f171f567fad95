using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What would be lost with a domain.</summary>
internal static class UndefineLosses
{
    private const int MostNamed = 3;

    /// <summary>The refusal that names what would be lost; null if nothing would.</summary>
    public static CoppiceException? Of(Observed observed)
    {
        var catalog = observed.Catalog;
        var subject = $"domain '{catalog.Name}'";
        if (catalog.Snapshots.Count > 0 || catalog.Tips.Length > 0)
        {
            return new CoppiceException(
                ErrorKind.WouldLose, subject,
                $"has {catalog.Snapshots.Count} snapshots and {catalog.Tips.Length} tips, which would go with it",
                "delete them first, or add --snapshots");
        }

        return catalog.Head.Saved is not null
            ? new CoppiceException(
                ErrorKind.WouldLose, subject, "is saved, and its memory would go with it",
                $"let it go on: coppice start {catalog.Name}, or add --snapshots")
            : Written(observed, subject);
    }

    /// <summary>A snapshot that was deleted without merging leaves what the guest wrote since in layers that Coppice removes.</summary>
    private static CoppiceException? Written(Observed observed, string subject)
    {
        var graph = new LayerGraph(observed.Catalog);
        var paths = observed.Catalog.Layers
            .Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null } && !IsPartOfDomain(l, graph))
            .Where(l => observed.Layers.GetValueOrDefault(l.Id) is not ({ Exists: false } or { IsEmpty: true }))
            .Select(l => l.Path)
            .ToArray();
        var more = paths.Length > MostNamed ? $" and {paths.Length - MostNamed} more" : "";
        return paths.Length == 0 ? null : new CoppiceException(
            ErrorKind.WouldLose, subject,
            $"has data in {paths.Length} layers that Coppice made, which would go with it: {string.Join(", ", paths.Take(MostNamed))}{more}",
            "--snapshots removes them too; to keep the data, copy the disk first with qemu-img convert");
    }

    /// <summary>Variables of the firmware that were never the user's belong to the domain like its definition.</summary>
    private static bool IsPartOfDomain(Layer layer, LayerGraph graph) =>
        layer.Disk == DiskDevice.FlashTarget && graph.Chain(layer.Id)[^1].Origin is LayerOrigin.Coppice;
}
