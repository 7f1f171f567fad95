using Coppice.Core;

namespace Coppice.Engine;

/// <summary>What would be lost with a domain.</summary>
internal static class UndefineLosses
{
    private const int MostNamed = 3;

    /// <summary>
    /// The refusal that names a layer that another domain has borrowed and Coppice would remove; null if there is none.
    /// </summary>
    public static CoppiceException? OfBorrowers(Observed observed)
    {
        var graph = LayerGraph.Of(observed.Catalog);
        var made = from loan in observed.Catalog.Loans.Except(observed.StaleLoans)
                   from layer in graph.Chain(loan.Layer)
                   where layer is { Origin: LayerOrigin.Coppice, Inside: null }
                   select (layer.Path, loan.Borrower);
        return made.FirstOrDefault() is { Path: { } path, Borrower: var borrower }
            ? new CoppiceException(
                ErrorKind.WouldLose, $"domain '{observed.Catalog.Name}'", $"has lent {path} to domain {borrower}, which needs it",
                $"undefine that one first (coppice undefine {borrower}), or take the disk from it")
            : null;
    }

    /// <summary>The refusal that names an image of the user that would be left half written; null if there is none.</summary>
    public static CoppiceException? OfUsersImages(Observed observed) =>
        UsersImages.AgainstLeaving(observed, observed.Catalog.Jobs);

    /// <summary>
    /// The refusal that names what cannot be kept in the domain's folder: what lies on the memory volume, and what is another domain's, which
    /// would not know any more that it is needed. Null if all can.
    /// </summary>
    public static CoppiceException? AgainstKeeping(Observed observed)
    {
        var (catalog, folder) = (observed.Catalog, observed.Folder);
        var subject = $"domain '{catalog.Name}'";
        if (catalog.Memories.Select(m => m.File).OfType<string>().FirstOrDefault(f => f.StartsWith(folder.VolumeFolder + "/", StringComparison.Ordinal)) is { } memory)
        {
            return new CoppiceException(
                ErrorKind.WouldLose, subject, $"has memory on the memory volume ({memory}), which cannot be kept without it",
                $"delete its snapshots with memory first, or let all go: coppice undefine {catalog.Name} --snapshots");
        }

        return LayerGraph.Of(catalog).All.FirstOrDefault(l => l.Origin is LayerOrigin.Borrowed) is { } borrowed
            ? new CoppiceException(
                ErrorKind.WouldLose, subject, $"builds on {borrowed.Path}, which another domain has lent it and would remove once it is undefined",
                $"copy its disk first with qemu-img convert, or let all go: coppice undefine {catalog.Name} --snapshots")
            : null;
    }

    /// <summary>The refusal that names what would be lost; null if nothing would.</summary>
    public static CoppiceException? Of(Observed observed)
    {
        var catalog = observed.Catalog;
        var subject = $"domain '{catalog.Name}'";
        var (snapshots, tips) = (catalog.Snapshots.Count, catalog.Tips.Length);
        if (snapshots > 0 || tips > 0)
        {
            string?[] had =
            [
                snapshots == 0 ? null : snapshots == 1 ? "a snapshot" : $"{snapshots} snapshots",
                tips == 0 ? null : tips == 1 ? "a tip" : $"{tips} tips",
            ];
            return new CoppiceException(
                ErrorKind.WouldLose, subject,
                $"has {string.Join(" and ", had.OfType<string>())}, which would go with it",
                "delete them first, or add --snapshots");
        }

        return catalog.Head.Saved is not null
            ? new CoppiceException(
                ErrorKind.WouldLose, subject, "is saved, and its memory would go with it",
                $"let it go on: coppice start {catalog.Name}, or add --snapshots")
            : Written(observed, subject);
    }

    /// <summary>
    /// A snapshot that was deleted without merging leaves what the guest wrote since in layers that Coppice removes.
    /// </summary>
    private static CoppiceException? Written(Observed observed, string subject)
    {
        var graph = LayerGraph.Of(observed.Catalog);
        var paths = observed.Catalog.Layers
            .Where(l => l is { Origin: LayerOrigin.Coppice, Inside: null } && !IsPartOfDomain(l, graph))
            .Where(l => observed.MayHoldWrites(l.Id) && !observed.IsKeptElsewhere(l))
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
