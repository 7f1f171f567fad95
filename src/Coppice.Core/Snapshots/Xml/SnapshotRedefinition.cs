namespace Coppice.Core;

/// <summary>Whether a document fits into a catalog.</summary>
internal static class SnapshotRedefinition
{
    /// <inheritdoc cref="SnapshotDocument.CheckRedefines"/>
    public static void Check(SnapshotDocument document, Catalog catalog)
    {
        var subject = $"snapshot '{document.Name}' of domain '{catalog.Name}'";
        if (document.DomainId is { } domain && domain != catalog.Domain)
        {
            throw Invalid(subject, $"its <domain> has the uuid {domain}, another domain's", "redefine it on that domain");
        }

        var known = catalog.Snapshots.Values.FirstOrDefault(s => s.Name == document.Name);
        if (known is not null && document.Id is { } id && known.Id != id)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, $"the snapshot with the uuid {known.Id} has this name", "choose another name");
        }

        CheckParent(document, known, catalog, subject);
        if (known is not null && document.State is { } state)
        {
            CheckKind(SnapshotStates.Of(known), state, subject);
        }
    }

    private static void CheckParent(SnapshotDocument document, Snapshot? known, Catalog catalog, string subject)
    {
        if (document.Parent is null)
        {
            return;
        }

        var parent = catalog.Snapshots.Values.FirstOrDefault(s => s.Name == document.Parent) ?? throw new CoppiceException(
            ErrorKind.NotFound, subject, $"its <parent> '{document.Parent}' is not there", "redefine the parent first");
        if (known is not null && (parent == known || new SnapshotTree(catalog).Descendants(known.Id).Contains(parent)))
        {
            throw Invalid(subject, $"its <parent> '{document.Parent}' is itself or builds on it", "name another parent");
        }
    }

    private static void CheckKind(SnapshotState was, SnapshotState becomes, string subject)
    {
        if ((was == SnapshotState.Shutoff) != (becomes == SnapshotState.Shutoff))
        {
            throw Invalid(subject, "its <state> would change between online and offline", "keep the state");
        }

        if ((was == SnapshotState.DiskSnapshot) != (becomes == SnapshotState.DiskSnapshot))
        {
            throw Invalid(subject, "its <state> would change between disk-only and full", "keep the state");
        }
    }

    private static CoppiceException Invalid(string subject, string problem, string nextStep) =>
        new(ErrorKind.InvalidInput, subject, problem, nextStep);
}
