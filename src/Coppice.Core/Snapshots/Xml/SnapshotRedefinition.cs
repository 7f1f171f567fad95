namespace Coppice.Core;

/// <summary>Whether a document fits into a catalog.</summary>
internal static class SnapshotRedefinition
{
    /// <summary>What a refusal is about.</summary>
    public static string Subject(SnapshotDocument document, Catalog catalog) =>
        $"snapshot '{document.Name}' of domain '{catalog.Name}'";

    /// <summary>The snapshot that a document is about; null if there is none.</summary>
    public static Snapshot? Known(SnapshotDocument document, Catalog catalog) =>
        catalog.Snapshots.Values.FirstOrDefault(s => s.Name == document.Name);

    /// <summary>The uuid of the parent that a document names; null for a root.</summary>
    public static SnapshotId? Parent(SnapshotDocument document, Catalog catalog) =>
        document.Parent is null ? null : catalog.Snapshots.Values.First(s => s.Name == document.Parent).Id;

    /// <summary>
    /// The definition that a document has in full, under the name that the domain has now; null if it has the uuid only.
    /// </summary>
    /// <exception cref="CoppiceException">It is not sound (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static DomainDefinition? DefinitionOf(SnapshotDocument document, Catalog catalog) =>
        document.Domain is { } xml && SafeXml.Load(xml, "<domain> of the snapshot").Elements().Any(e => e.Name != "uuid")
            ? DomainXml.Parse(xml) with { Name = catalog.Name }
            : null;

    /// <summary>How each disk takes part, as <c>&lt;disks&gt;</c> says it: the firmware's variables do not stand there.</summary>
    public static HashSet<(string Target, DiskMode? Mode)> Modes(IEnumerable<DiskSnapshot> disks) =>
        [.. disks.Where(d => d.Target != DiskDevice.FlashTarget).Select(d => (d.Target, (DiskMode?)d.Mode))];

    /// <summary>Refuses a document that says of a known snapshot what it is not: what a snapshot keeps never changes.</summary>
    /// <exception cref="CoppiceException">It does; the element is named (<see cref="ErrorKind.InvalidInput"/>).</exception>
    public static void CheckKeepsContent(SnapshotDocument document, Snapshot known, Catalog catalog, DomainDefinition stored)
    {
        var memory = document.Memory!;
        var disks = Modes(known.Disks);
        var kept = known.Disks.Select(d => (d.Target, d.Mode, d.Layer)).ToHashSet();
        var odd = document switch
        {
            _ when document.State != SnapshotStates.Of(known) => "state",
            _ when document.CreatedAt!.Value.ToUnixTimeSeconds() != known.CreatedAt.ToUnixTimeSeconds() => "creationTime",
            _ when (memory.Mode, memory.File) != (known.Memory.Mode, known.Memory.File) => "memory",
            _ when memory.Disk is not null && memory.Disk != known.Memory.Disk => "memory",
            _ when !document.Disks.IsEmpty && !disks.SetEquals(document.Disks.Select(d => (d.Target, d.Mode))) => "disks",
            { Content: { } content } when !kept.SetEquals(content.Disks.Select(d => (d.Target, d.Mode, d.Layer))) => "cookie",
            { Content: { } content } when content.IsQuiesced != known.IsQuiesced => "cookie",
            _ when DefinitionOf(document, catalog) is { } other && DomainXml.Format(other) != DomainXml.Format(stored) => "domain",
            _ => null,
        };
        if (odd is not null)
        {
            throw Invalid(
                Subject(document, catalog), $"its <{odd}> is not what the snapshot has, and what a snapshot keeps never changes",
                "leave it as 'snapshot dumpxml' prints it; description and parent can be changed");
        }
    }

    /// <inheritdoc cref="SnapshotDocument.CheckRedefines"/>
    public static void Check(SnapshotDocument document, Catalog catalog)
    {
        var subject = Subject(document, catalog);
        if (document.DomainId is { } domain && domain != catalog.Domain)
        {
            throw Invalid(subject, $"its <domain> has the uuid {domain}, another domain's", "redefine it on that domain");
        }

        if (catalog.Snapshots.Values.FirstOrDefault(s => s.Id == document.Id && s.Name != document.Name) is { } renamed)
        {
            throw new CoppiceException(
                ErrorKind.AlreadyExists, subject, $"its uuid is that of snapshot '{renamed.Name}'",
                $"to give that one another name: coppice snapshot rename {catalog.Name} {renamed.Name} NAME");
        }

        var known = Known(document, catalog);
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
